// A program for each way in which a process or a thread can live and die while its memory is
// counted: lives WHAT [NUMBER [FOLDER]]. What events.c is for things that befall a process, this is
// for whole lives. Functions that end in _site are those whose figures are asserted.
#include "sites.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
extern void *__dso_handle;
int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library);

static long number = 100;
static const char *folder = "";

SITE static char *held_site(void)
{
    return sink = malloc(80);
}

SITE static char *grown_site(char *block)
{
    return sink = realloc(block, 3000);
}

static void keep_one(void)
{
    kept_site();
}

static void pass_one(void)
{
    free(thread_site());
}

static void keep_some(void)
{
    for (long i = 0; i < number; i++) kept_site();
}

// --- a crowd of threads that wait, each in its own way

enum { CROWD = 6 };
static pthread_barrier_t barrier;

static void spin_for_ever(void)
{
    for (;;) __asm__ volatile("pause");
}

// Holds a block on its stack, and is still there when the process ends.
static void *stay(void *argument)
{
    char *volatile held = held_site();
    for (long i = 0; i < number; i++) free(thread_site());
    sink = NULL; // what the stack alone holds is seen there
    pthread_barrier_wait(&barrier);
    if ((long)argument % 3 == 0) pthread_barrier_wait(&barrier); // who else would come?
    if ((long)argument % 3 == 1) spin_for_ever();
    for (;;) pause();
    return held;
}

static void gather_crowd(void)
{
    pthread_barrier_init(&barrier, NULL, CROWD + 1);
    for (long i = 0; i < CROWD; i++) {
        pthread_t thread;
        check(pthread_create(&thread, NULL, stay, (void *)i) == 0, "pthread_create");
    }
    pthread_barrier_wait(&barrier);
}

static void work_amid_crowd(void)
{
    gather_crowd();
    keep_some();
    free(grown_site(parent_site()));
}

static void exit_amid_crowd(void)
{
    work_amid_crowd();
    printf("%d threads wait\n", CROWD);
    exit(3);
}

// --- deaths

static void die_of_a_bad_address(void)
{
    work_amid_crowd();
    *(volatile char *)8 = 1;
}

static void die_by_abort(void)
{
    work_amid_crowd();
    abort();
}

// As crash reporters do: on a stack of its own, and then as if there were no handler.
static void report_crash(int signal_number)
{
    for (int i = 0; i < 7; i++) handler_site();
    free(handler_site());
    signal(signal_number, SIG_DFL);
}

static void die_after_a_handler(void)
{
    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    struct sigaction action = {.sa_handler = report_crash, .sa_flags = SA_ONSTACK};
    check(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
    die_of_a_bad_address();
}

// Until there is no memory: says after each block how many there are.
static void take_all_memory(void)
{
    keep_some();
    for (long i = 1;; i++) {
        memset(held_site(), 1, 80);
        char *large = sink = malloc(1 << 20);
        memset(large, 1, 1 << 20);
        dprintf(1, "%ld\n", i);
    }
}

// What each thread has done at least, where who looks after its death finds it.
struct progress {
    _Alignas(64) atomic_long tid;
    atomic_long allocated;
    atomic_long freed;
};
static __thread struct progress *progress;

static void count_one(void)
{
    char *block = thread_site();
    progress->allocated++;
    free(block);
    progress->freed++;
}

static void *count_on(void *own)
{
    progress = own;
    progress->tid = gettid();
    for (unsigned long i = 0;; i++) wind((i & 0x3ff) | 0x400, count_one);
    return NULL;
}

// NUMBER microseconds after its beginning it kills itself; FOLDER is a file for the progress.
static void be_killed(void)
{
    enum { THREADS = 4 };
    int fd = open(folder, O_RDWR | O_CREAT, 0600);
    check(fd >= 0 && ftruncate(fd, THREADS * sizeof(struct progress)) == 0, folder);
    struct progress *all =
        mmap(NULL, THREADS * sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(all != MAP_FAILED, "mmap");
    for (long i = 0; i < THREADS; i++) {
        pthread_t thread;
        check(pthread_create(&thread, NULL, count_on, &all[i]) == 0, "pthread_create");
    }
    usleep((useconds_t)number);
    kill(getpid(), SIGKILL);
}

static sigjmp_buf place;
static volatile bool goes_back;

static void end_at_once(int signal_number)
{
    (void)signal_number;
    if (goes_back) siglongjmp(place, 1);
    _exit(0);
}

// Children that end in a handler, whatever that interrupted, or where it jumped to.
static void end_by_handlers(void)
{
    signal(SIGALRM, end_at_once);
    for (volatile long i = 0; i < number; i++) {
        pid_t child = fork();
        goes_back = i % 2;
        if (child == 0) {
            if (sigsetjmp(place, 1)) _exit(0);
            pass_one();
            ualarm((useconds_t)(1000 + 37 * i), 0);
            for (;;) pass_one();
        }
        wait_for(child);
    }
}

// --- children

static void fork_storms(void)
{
    enum { BURST = 20 };
    parent_site();
    for (long i = 0; i < number; i += BURST) {
        pid_t children[BURST];
        for (long j = 0; j < BURST; j++) {
            children[j] = fork();
            if (children[j] == 0) {
                for (long k = 0; k < 10 + i + j; k++) child_site();
                exit(0);
            }
        }
        for (long j = 0; j < BURST; j++) wait_for(children[j]);
    }
}

static void spawn(void)
{
    char *const words[] = {"lives", "keep", "30", NULL};
    for (long i = 0; i < number; i++) {
        parent_site();
        pid_t child;
        check(posix_spawn(&child, "/proc/self/exe", NULL, NULL, words, environ) == 0, "spawn");
        wait_for(child);
    }
}

// No handlers run, and libc's own locks are as they were.
static void fork_without_handlers(void)
{
    char *block = parent_site();
    keep_some();
    pid_t child = _Fork();
    if (child == 0) {
        free(block);
        for (long i = 0; i < 2 * number; i++) child_site();
        _exit(0);
    }
    wait_for(child);
}

static void serve(void)
{
    child_site(); // as all do who look into their configuration first
    if (*folder) check(chroot(folder) == 0, folder);
    check(chdir("/") == 0, "/");
    closefrom(0);
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0) exit(9);
    for (long i = 0; i < number; i++) wind((unsigned long)i | 0x2000, keep_one);
    exit(0);
}

// The daemon is given to who waits for it here, instead of to init.
static void become_daemon(void)
{
    check(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "prctl");
    parent_site();
    pid_t child = fork();
    if (child == 0) {
        check(setsid() > 0, "setsid");
        pid_t daemon = fork();
        if (daemon == 0) serve();
        _exit(daemon < 0);
    }
    wait_for(child);
    int status = 0;
    check(wait(&status) > 0 && status == 0, "wait");
}

// --- threads

static void *pass_once(void *unused)
{
    pass_one();
    return unused;
}

static void threads_in_a_row(void *(*run)(void *))
{
    for (long i = 0; i < number; i++) {
        pthread_t thread;
        check(pthread_create(&thread, NULL, run, NULL) == 0, "pthread_create");
        pthread_join(thread, NULL);
    }
}

static void pass_in_a_row(void)
{
    threads_in_a_row(pass_once);
}

static atomic_long passed;
static atomic_long cleaned;

SITE static void cleanup_site(void *unused __attribute__((unused)))
{
    free(malloc(20));
    sink = malloc(20);
    cleaned++;
}

// Heeds a cancellation between two rounds and nowhere else.
static void *pass_until_cancelled(void *begun)
{
    pthread_cleanup_push(cleanup_site, NULL);
    for (unsigned long i = 0;; i++) {
        wind((i & 0xfff) | 0x1000, pass_one);
        passed++;
        atomic_store((atomic_bool *)begun, true);
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return NULL;
}

// Is cancelled while it only computes.
static void *spin_until_cancelled(void *begun)
{
    pthread_cleanup_push(cleanup_site, NULL);
    for (int i = 0; i < 10; i++) pass_one();
    passed += 10;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    atomic_store((atomic_bool *)begun, true);
    spin_for_ever();
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancel_threads(void)
{
    enum { THREADS = 4 };
    for (long i = 0; i < number; i++) {
        pthread_t threads[THREADS];
        atomic_bool begun[THREADS] = {0};
        for (int j = 0; j < THREADS; j++) {
            void *(*run)(void *) = j % 2 ? spin_until_cancelled : pass_until_cancelled;
            check(pthread_create(&threads[j], NULL, run, &begun[j]) == 0, "pthread_create");
        }
        for (int j = 0; j < THREADS; j++) {
            void *result = NULL;
            while (!begun[j]) sched_yield();
            pthread_cancel(threads[j]);
            pthread_join(threads[j], &result);
            check(result == PTHREAD_CANCELED, "cancelled");
        }
    }
    printf("%ld %ld\n", (long)passed, (long)cleaned);
}

// What the destructor of a C++ thread_local object is to libc; it makes another one, once.
SITE static void object_site(void *object)
{
    free(malloc(30));
    sink = malloc(30);
    free(object);
    char *again = object ? NULL : sink;
    if (again) __cxa_thread_atexit_impl(object_site, again, &__dso_handle);
}

static void *make_object(void *unused)
{
    __cxa_thread_atexit_impl(object_site, NULL, &__dso_handle);
    __cxa_thread_atexit_impl(object_site, held_site(), &__dso_handle);
    return unused;
}

SITE static void late_exit_site(void)
{
    sink = malloc(70);
}

SITE static void exit_site(void)
{
    free(malloc(70));
    check(atexit(late_exit_site) == 0, "atexit");
}

static void destroy_late(void)
{
    check(atexit(exit_site) == 0, "atexit");
    threads_in_a_row(make_object);
    make_object(NULL);
}

// --- limits

// No frame is shared from where the ways part.
SITE static void descend(int depth)
{
    if (depth > 0) descend(depth - 1);
    if (depth == 0) kept_site();
    sink = NULL; // no tail calls
}

static void descend_far(void)
{
    descend(20);
}

static void wind_deep(void)
{
    for (long i = 0; i < number; i++) wind((unsigned long)i | 0x10000, descend_far);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } lives[] = {
        {"keep", keep_some},
        {"crowd", exit_amid_crowd},
        {"bad_address", die_of_a_bad_address},
        {"abort", die_by_abort},
        {"handler", die_after_a_handler},
        {"end_by_handler", end_by_handlers},
        {"memory", take_all_memory},
        {"killed", be_killed},
        {"storms", fork_storms},
        {"spawn", spawn},
        {"_Fork", fork_without_handlers},
        {"daemon", become_daemon},
        {"row", pass_in_a_row},
        {"cancel", cancel_threads},
        {"late", destroy_late},
        {"deep", wind_deep},
    };
    if (argc > 2) number = atol(argv[2]);
    if (argc > 3) folder = argv[3];
    for (size_t i = 0; i < sizeof lives / sizeof lives[0] && argc > 1; i++) {
        if (strcmp(lives[i].name, argv[1]) != 0) continue;
        lives[i].run();
        return 0;
    }
    return 2;
}
