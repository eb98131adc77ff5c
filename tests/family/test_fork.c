// The family around fork, as POSIX and glibc's manual have it: a child may use all of it when the
// parent was alone, and with glibc also when other threads were allocating or inside stdio, and
// when a signal handler forks. Whoever hangs is ended by an alarm after WATCH_SECONDS.
#include "family.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 5, FORK_SECONDS = 2, WATCH_SECONDS = 20 };

static atomic_bool is_over;

// What a child does with the family; its status says whether it could.
static _Noreturn void child_use(void *inherited, size_t size)
{
    alarm(WATCH_SECONDS);
    bool good = pattern_verify(inherited, size, 7) == size;
    for (size_t i = 0; i < edge_sizes_count; i++) {
        void *block = pointer_hidden(malloc(edge_sizes[i]));
        block = pointer_hidden(realloc(block, edge_sizes[i] + 100));
        good = good && block;
        free(block);
    }
    free(inherited);
    _exit(good ? 0 : 1);
}

static void fork_and_check(void)
{
    size_t size = 1000;
    void *block = pointer_hidden(malloc(size));
    assert_non_null(block);
    pattern_fill(block, size, 7);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) child_use(block, size);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_all_pattern(block, size, 7);
    free(block);
}

static void *allocating_body(void *argument)
{
    uint64_t random = (uintptr_t)argument;
    void *blocks[64] = {0};
    while (!is_over) {
        size_t i = random_next(&random) % 64;
        free(blocks[i]);
        blocks[i] = pointer_hidden(malloc(random_size(&random, 100 * KIB)));
    }
    for (size_t i = 0; i < 64; i++) free(blocks[i]);
    return NULL;
}

// All but one thread hold a stream's lock while the line they read grows by the family; that one
// walks stdio's list of streams, which fork locks too, and waits there for each stream's lock.
static void *streams_body(void *argument)
{
    bool does_walk = (uintptr_t)argument == 1;
    FILE *stream = tmpfile();
    if (!stream) abort();
    for (int i = 0; i < 50000; i++) (void)fputc('x', stream); // what it holds is of no interest
    while (!is_over) {
        if (does_walk) {
            (void)fflush(NULL); // nothing of ours is lost by it
            (void)usleep(100);  // the list's lock is not fair; let fork have it
            continue;
        }
        char *line = NULL;
        size_t size = 0;
        rewind(stream);
        if (getline(&line, &size, stream) < 50000) abort();
        free(line);
    }
    (void)fclose(stream); // a temporary file
    return NULL;
}

static void fork_amid(void *(*body)(void *))
{
    pthread_t threads[THREADS];
    is_over = false;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, (void *)(i + 1)), 0);
    alarm(WATCH_SECONDS);
    int forks = 0;
    for (time_t end = time(NULL) + FORK_SECONDS; time(NULL) <= end; forks++) fork_and_check();
    assert_true(forks >= 1);
    alarm(0);
    is_over = true;
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void a_child_of_a_lone_thread_uses_the_family(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) fork_and_check();
}

static void a_child_forked_amid_allocations_uses_the_family(void **state)
{
    (void)state;
    fork_amid(allocating_body);
}

static void fork_amid_streams_that_allocate_does_not_hang(void **state)
{
    (void)state;
    fork_amid(streams_body);
}

static volatile sig_atomic_t forks_in_handler;
static volatile sig_atomic_t bad_children;

static void fork_in_handler(int number)
{
    (void)number;
    int error = errno;
    pid_t child = fork();
    if (child == 0) _exit(0);
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) bad_children++;
    forks_in_handler++;
    errno = error;
}

// Where only one thread runs, glibc's fork takes no lock of malloc, so the handler may fork also
// when it interrupted malloc. (That the child may allocate then is promised by nobody.)
static void a_signal_handler_may_fork_amid_malloc(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
    struct sigaction old;
    assert_int_equal(sigaction(SIGVTALRM, &action, &old), 0);
    struct itimerval often = {{0, 1000}, {0, 1000}};
    alarm(WATCH_SECONDS);
    assert_int_equal(setitimer(ITIMER_VIRTUAL, &often, NULL), 0);
    uint64_t random = 1;
    static void *blocks[256];
    while (forks_in_handler < 300) {
        size_t i = random_next(&random) % 256;
        free(blocks[i]);
        blocks[i] = pointer_hidden(malloc(random_size(&random, 200 * KIB)));
        assert_non_null(blocks[i]);
    }
    struct itimerval never = {0};
    assert_int_equal(setitimer(ITIMER_VIRTUAL, &never, NULL), 0);
    alarm(0);
    assert_int_equal(sigaction(SIGVTALRM, &old, NULL), 0);
    assert_int_equal(bad_children, 0);
    for (size_t i = 0; i < 256; i++) free(blocks[i]);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_child_of_a_lone_thread_uses_the_family),
        cmocka_unit_test(a_signal_handler_may_fork_amid_malloc),
        cmocka_unit_test(a_child_forked_amid_allocations_uses_the_family),
        cmocka_unit_test(fork_amid_streams_that_allocate_does_not_hang),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
