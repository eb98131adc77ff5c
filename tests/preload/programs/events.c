// A program for each thing that befalls processes and threads while their memory is counted:
// events WHAT [NUMBER]. Each allocates so much so often, and says on standard output what the test
// must know. Functions that end in _site are those whose figures are asserted.
#include "sites.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static long number = 100;

// --- processes

// The child frees half of what it inherits, and allocates on.
static void fork_once(void)
{
    static char *blocks[1000];
    for (long i = 0; i < 1000; i++) blocks[i] = parent_site();
    pid_t child = fork();
    if (child == 0) {
        for (long i = 0; i < 500; i++) free(blocks[i]);
        for (long i = 0; i < 200; i++) child_site();
        exit(0);
    }
    wait_for(child);
    for (long i = 0; i < 1000; i++) free(blocks[i]);
}

// A child of a child, and one in which nothing happens.
static void fork_deep(void)
{
    kept_site();
    pid_t child = fork();
    if (child == 0) {
        child_site();
        pid_t grandchild = fork();
        if (grandchild == 0) {
            child_site();
            exit(0);
        }
        wait_for(grandchild);
        exit(0);
    }
    wait_for(child);
    child = fork();
    if (child == 0) _exit(0);
    wait_for(child);
}

static atomic_bool is_over;

static void *allocate_on(void *unused)
{
    char *blocks[64] = {0};
    for (unsigned long i = 0; !is_over; i++) {
        free(blocks[i % 64]);
        blocks[i % 64] = thread_site();
    }
    for (int i = 0; i < 64; i++) free(blocks[i]);
    return unused;
}

static void fork_amid(void)
{
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, allocate_on, NULL);
    for (long i = 0; i < number; i++) {
        pid_t child = fork();
        if (child == 0) {
            for (int j = 0; j < 50; j++) child_site();
            exit(0);
        }
        wait_for(child);
    }
    is_over = 1;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void vfork_exec(void)
{
    for (volatile long i = 0; i < number; i++) {
        parent_site();
        pid_t child = vfork();
        if (child == 0) {
            execl(i % 2 ? "/bin/true" : "/nonexistent", "true", NULL);
            _exit(0);
        }
        wait_for(child);
    }
}

static void replace(void)
{
    for (long i = 0; i < number; i++) kept_site();
    execl("/nonexistent", "x", NULL);
    parent_site();
    execlp("sh", "sh", "-c", "exit 5", NULL);
}

static void replace_with_environment(void)
{
    char word[] = "A=B";
    char *environment[] = {word, NULL};
    kept_site();
    execle("/bin/sh", "sh", "-c", "test $A = B && test -z \"$METE\" && exit 6", NULL, environment);
}

static void end_at_once(void)
{
    for (long i = 0; i < number; i++) kept_site();
    _exit(7);
}

static void end_quickly(void)
{
    for (long i = 0; i < number; i++) kept_site();
    quick_exit(7);
}

static void end_badly(void)
{
    for (long i = 0; i < number; i++) kept_site();
    abort();
}

// Until it is killed: says how many calls are finished at least.
static void count_on(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (long i = 0;; i++) {
        kept_site();
        free(parent_site());
        if (i % 1000 == 999) printf("%ld\n", i + 1);
    }
}

// --- threads

static void *allocate_some(void *unused)
{
    for (int i = 0; i < 10; i++) free(thread_site());
    thread_site();
    return unused;
}

static void threads_in_a_row(void)
{
    for (long i = 0; i < number; i++) {
        pthread_t thread;
        check(pthread_create(&thread, NULL, allocate_some, NULL) == 0, "pthread_create");
        pthread_join(thread, NULL);
    }
}

static pthread_barrier_t barrier;

static void *allocate_together(void *argument)
{
    pthread_barrier_wait(&barrier);
    allocate_some(argument);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void threads_at_once(void)
{
    static pthread_t threads[1000];
    check(number <= 1000, "too many");
    pthread_barrier_init(&barrier, NULL, (unsigned)number);
    for (long i = 0; i < number; i++) {
        check(pthread_create(&threads[i], NULL, allocate_together, NULL) == 0, "pthread_create");
    }
    for (long i = 0; i < number; i++) pthread_join(threads[i], NULL);
}

static pthread_key_t key;

SITE static void destructor_site(void *value)
{
    long round = (long)value;
    for (int i = 0; i < 3; i++) free(malloc(30));
    sink = malloc(30);
    if (round < 4) pthread_setspecific(key, (void *)(round + 1)); // libc goes round four times
}

static void *use_key(void *unused)
{
    thread_site();
    pthread_setspecific(key, (void *)1);
    return unused;
}

SITE static void exit_site(void)
{
    free(malloc(70));
    sink = malloc(70);
}

static void late(void)
{
    pthread_key_create(&key, destructor_site);
    atexit(exit_site);
    for (long i = 0; i < number; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, use_key, NULL);
        pthread_join(thread, NULL);
    }
}

// --- signals

static atomic_long handled;
static void *handler_blocks[1 << 16];

static void handle(int signal_number)
{
    (void)signal_number;
    long i = handled;
    if (i + 3 > 1 << 16) return;
    for (int j = 0; j < 3; j++) handler_blocks[i + j] = handler_site();
    handled = i + 3;
}

static void set_timer(long microseconds)
{
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void two_blocks(void)
{
    thread_site();
    free(thread_site());
}

// Nothing but what the heap has at hand: it may be left anywhere else no more than libc's may.
static void one_block(void)
{
    free(thread_site());
}

// New ones all the time, each thread its own, until the process is killed.
static void *add_stacks(void *first)
{
    for (unsigned long i = (unsigned long)first;; i += 3)
        wind((i & 0xfffff) | 0x100000, two_blocks);
    return NULL;
}

static void add_on(void)
{
    pthread_t threads[2];
    one_block();
    puts("begun");
    fflush(stdout);
    for (long i = 0; i < 2; i++) {
        check(pthread_create(&threads[i], NULL, add_stacks, (void *)i) == 0, "pthread_create");
    }
    add_stacks((void *)2);
}

static void interrupted(void)
{
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGALRM, &action, NULL);
    one_block(); // the heap has one at hand from now on
    set_timer(200);
    for (long i = 1; i < number; i++) wind((unsigned long)i | 1024, one_block);
    set_timer(0);
    printf("%ld %ld\n", number, (long)handled);
}

static volatile sig_atomic_t is_child;

// The child allocates, in the handler and where that came from.
static void fork_in_handler(int signal_number)
{
    (void)signal_number;
    if (is_child || ++handled > number) return;
    pid_t child = fork();
    if (child == 0) {
        is_child = 1;
        child_site();
        return;
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) _exit(7);
    set_timer(1000); // from now on: a fork may take that long
}

static void forked_by_handler(void)
{
    struct sigaction action = {.sa_handler = fork_in_handler};
    sigaction(SIGALRM, &action, NULL);
    set_timer(1000);
    for (unsigned long i = 0; handled < number && !is_child; i++) {
        wind((i & 0xffff) | 0x10000, one_block);
    }
    set_timer(0);
    for (int i = 0; i < 100; i++) kept_site();
    if (!is_child) puts("parent");
}

static sigjmp_buf back;

static void leave(int signal_number)
{
    siglongjmp(back, signal_number);
}

static void left_by_jumps(void)
{
    struct sigaction action = {.sa_handler = leave};
    volatile long jumps = 0;
    volatile unsigned long way = 0;
    one_block();
    sigaction(SIGALRM, &action, NULL);
    if (sigsetjmp(back, 1)) jumps++;
    if (jumps < number) {
        set_timer(2000);
        for (;; way++) wind((way & 0xffff) | 0x10000, one_block);
    }
    set_timer(0);
    for (int i = 0; i < 100; i++) kept_site();
    printf("%ld\n", jumps);
}

static void *volatile handed;
static pthread_barrier_t both;

static void *free_what_comes(void *ignored)
{
    for (long i = 0; i < number; i++) {
        pthread_barrier_wait(&both);
        free(handed);
        pthread_barrier_wait(&both);
    }
    return ignored;
}

// Each is likely to lie where the one before did.
static void hand_over(void)
{
    pthread_t thread;
    pthread_barrier_init(&both, NULL, 2);
    check(pthread_create(&thread, NULL, free_what_comes, NULL) == 0, "pthread_create");
    for (long i = 0; i < number; i++) {
        handed = i % 2 ? kept_site() : (sink = malloc(1 << 20));
        pthread_barrier_wait(&both);
        pthread_barrier_wait(&both);
    }
    pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } events[] = {
        {"fork", fork_once},
        {"fork_deep", fork_deep},
        {"fork_amid", fork_amid},
        {"vfork", vfork_exec},
        {"exec", replace},
        {"execle", replace_with_environment},
        {"_exit", end_at_once},
        {"quick_exit", end_quickly},
        {"abort", end_badly},
        {"endless", count_on},
        {"row", threads_in_a_row},
        {"at_once", threads_at_once},
        {"late", late},
        {"endless_stacks", add_on},
        {"interrupted", interrupted},
        {"left_by_jumps", left_by_jumps},
        {"forked_by_handler", forked_by_handler},
        {"handed_over", hand_over},
    };
    if (argc > 2) number = atol(argv[2]);
    for (size_t i = 0; i < sizeof events / sizeof events[0] && argc > 1; i++) {
        if (strcmp(events[i].name, argv[1]) != 0) continue;
        events[i].run();
        return 0;
    }
    return 2;
}
