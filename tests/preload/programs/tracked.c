// A program that tells mete of memory that is not malloc's: tracked WHAT. Each thing has a name of
// its own, by which the test knows what must be said of it. C and C++.
#include "program.h"

#include <mete/stats.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

#define SEPARATE __attribute__((noinline))

static void *volatile kept[16];
static char *kept_stack; // volatile is not its thread's

// Nothing of what has been done stays on the stack or in registers.
static SEPARATE void forget(void)
{
    char all[65536];
    memset(all, 0, sizeof all);
    __asm__ volatile("" : : "r"(all) : "memory", "rbx", "r12", "r13", "r14", "r15");
}

static SEPARATE void **map(size_t size, int how)
{
    void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);
    EXPECT(mapping != MAP_FAILED);
    return (void **)mapping;
}

// --- kinds

static SEPARATE void make_held(void)
{
    void **held = map(8192, MAP_PRIVATE);
    mete_track(held, 8192, "held");
    held[1000] = malloc(11);
    kept[0] = held;

    void **shared = map(8192, MAP_SHARED);
    mete_track(shared, 8000, "shared"); // not whole pages
    shared[7] = malloc(12);
    kept[1] = shared;

    void **closed = map(4096, MAP_PRIVATE);
    mete_track(closed, 4096, "closed");
    closed[9] = malloc(13);
    EXPECT(mprotect(closed, 4096, PROT_NONE) == 0);
    kept[2] = closed;

    mete_track((void *)0x500000000000, 4 * MIB, "device");
    kept[3] = (void *)0x500000000000;

    // Most of it is empty, and a part is shared.
    char *all = (char *)mmap(NULL, (size_t)1 << 36, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT(all != MAP_FAILED);
    void **part = (void **)(void *)(all + MIB);
    EXPECT(mmap(part, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
           part);
    mete_track(all, (size_t)1 << 36, "huge");
    part[77] = malloc(14);
    kept[11] = all;

    char *inside = (char *)map(4096, MAP_PRIVATE);
    mete_track(inside, 4096, "inside");
    kept[4] = inside + 100;
}

static SEPARATE void make_lost(void)
{
    void **lost = map(8192, MAP_PRIVATE);
    mete_track(lost, 8192, "lost");
    lost[3] = malloc(21);
    void **behind = map(4096, MAP_PRIVATE);
    mete_track(behind, 4095, "behind");
    lost[4] = behind;
    mete_track((void *)0x510000000000, 4 * MIB, "lost device");
    void **ignored = map(4096, MAP_PRIVATE);
    mete_track(ignored, 4096, "ignored");
    void (*ignore)(const void *);
    *(void **)&ignore = dlsym(RTLD_DEFAULT, "__lsan_ignore_object");
    if (ignore) ignore(ignored);
}

// Objects of a pool that is a block of malloc's: one is held, one is not.
static SEPARATE void make_pool(void)
{
    char *pool = (char *)malloc(1000);
    mete_track(pool, 96, "first object"); // where the pool starts
    mete_track(pool + 96, 96, "second object");
    *(void **)(void *)pool = malloc(31);
    *(void **)(void *)(pool + 96) = malloc(32);
    kept[5] = pool + 8;
}

static SEPARATE void make_ends(void)
{
    void **gone = map(4096, MAP_PRIVATE);
    mete_track(gone, 4096, "gone");
    mete_untrack(gone);
    mete_track(gone, 1, "replaced");
    mete_track(gone, 100, "replacing");
    mete_untrack(gone);
    mete_track(gone, 0, "of no size");
    kept[6] = gone;
    mete_track(NULL, 100, "nowhere");
    mete_track(gone + 1, (size_t)1 << 47, "too large");
    mete_track(gone + 2, 8, NULL);
    mete_track(gone + 3, 8, "");
    kept[7] = gone + 2;
    kept[8] = gone + 3;
    mete_untrack(gone + 17); // was never
    mete_untrack(NULL);
}

// A block of malloc's is not counted twice.
static SEPARATE void make_named(void)
{
    kept[9] = malloc(333);
    mete_track(kept[9], 333, "named");
    void *named = malloc(444);
    mete_track(named, 444, "named and freed");
    mete_untrack(named); // of no effect
    free(named);
    kept[10] = malloc(2 * MIB);
    mete_track(kept[10], 2 * MIB, "large and named");
}

// What code reaches without a pointer, and the blocks that it holds.
static void *in_data[8];
static __thread void *in_thread[8];

static SEPARATE void make_static(void)
{
    mete_track(in_data, sizeof in_data, "in data");
    mete_track(in_thread, sizeof in_thread, "in thread");
    in_data[5] = malloc(51);
    in_thread[5] = malloc(52);
}

// Nothing can be there.
static SEPARATE void make_impossible(void)
{
    mete_track(MAP_FAILED, 4096, "failed");
    mete_track((void *)(UINT64_C(1) << 47), 1, "too far");
    mete_track((void *)((UINT64_C(1) << 47) - 1), 2, "too far");
    mete_track((void *)0x0100700000001000, 16, "tagged");
    mete_untrack(MAP_FAILED);
    mete_untrack((void *)(UINT64_C(1) << 63));
}

// Something in a block, and then all of it.
static SEPARATE void make_replaced(void)
{
    char *block = (char *)malloc(5000);
    mete_track(block, 100, "part");
    mete_track(block, 5000, "whole");
    free(block);
}

static SEPARATE void *run_on_it(void *argument)
{
    void *volatile only = malloc(41);
    EXPECT(only != NULL);
    kept_stack = NULL; // libc knows it by its thread alone
    pthread_barrier_wait((pthread_barrier_t *)argument);
    for (;;) pause();
    return only;
}

// A thread whose stack is tracked.
static SEPARATE void make_stack(void)
{
    static pthread_barrier_t barrier;
    pthread_attr_t attributes;
    pthread_t thread;
    enum { SIZE = 1 << 18 };
    char *stack = (char *)map(SIZE, MAP_PRIVATE);
    mete_track(stack, SIZE, "stack");
    EXPECT(pthread_barrier_init(&barrier, NULL, 2) == 0);
    EXPECT(pthread_attr_init(&attributes) == 0);
    EXPECT(pthread_attr_setstack(&attributes, stack, SIZE) == 0);
    EXPECT(pthread_create(&thread, &attributes, run_on_it, &barrier) == 0);
    EXPECT(pthread_attr_destroy(&attributes) == 0);
    pthread_barrier_wait(&barrier);
}

static void kinds(void)
{
    errno = 77;
    make_held();
    make_lost();
    make_pool();
    make_ends();
    make_named();
    make_static();
    make_impossible();
    make_replaced();
    EXPECT(errno == 77);
    make_stack();
    forget();
    void *in_frame[8] = {0};
    mete_track(in_frame, sizeof in_frame, "in frame");
    in_frame[5] = malloc(53);
    __asm__ volatile("" : : "r"(in_frame) : "memory");
    exit(0);
}

// --- names

static void names(void)
{
    char name[300];
    char *place = (char *)map(1 << 20, MAP_PRIVATE);
    memset(name, 'n', sizeof name);
    memcpy(name + 126, "\xc3\xa9", 2); // a letter of two bytes where names end
    name[299] = '\0';
    mete_track(place, 8, name);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "name %d", i);
        mete_track(place + 8 + 8 * i, 8, name);
    }
    memset(name, 0, sizeof name); // they are copies
    kept[0] = place;
}

// --- threads, handlers, children

enum { THREADS = 4, ROUNDS = 20000 };

static void *track_and_untrack(void *argument)
{
    char *place = (char *)argument;
    for (int i = 0; i < ROUNDS; i++) {
        mete_track(place + i % 100 * 64, 64, i % 2 ? "odd" : "even");
        if (i % 3 == 0) mete_untrack(place + i % 100 * 64);
    }
    return NULL;
}

static void threads(void)
{
    pthread_t all[THREADS];
    char *place = (char *)map(THREADS * 65536, MAP_PRIVATE);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&all[i], NULL, track_and_untrack, place + 65536 * i) == 0);
    }
    for (int i = 0; i < THREADS; i++) EXPECT(pthread_join(all[i], NULL) == 0);
    kept[0] = place;
}

static char *handlers_place;
static volatile sig_atomic_t handled;

static void handle(int signal_number)
{
    (void)signal_number;
    mete_track(handlers_place, 128, "by the handler");
    mete_untrack(handlers_place);
    handled++;
}

static void handlers(void)
{
    struct itimerval often = {{0, 100}, {0, 100}};
    struct itimerval never = {{0, 0}, {0, 0}};
    handlers_place = (char *)map(8192, MAP_PRIVATE);
    signal(SIGALRM, handle);
    EXPECT(setitimer(ITIMER_REAL, &often, NULL) == 0);
    for (int i = 0; i < 200000 || handled < 100; i++) {
        mete_track(handlers_place + 4096, 64, "by the program");
        free(malloc(100));
        mete_untrack(handlers_place + 4096);
    }
    EXPECT(setitimer(ITIMER_REAL, &never, NULL) == 0);
}

static void children(void)
{
    char *place = (char *)map(8192, MAP_PRIVATE);
    mete_track(place, 4096, "of the parent");
    mete_track(place + 4096, 4096, "freed by the child");
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        mete_untrack(place + 4096); // its first event
        mete_track((char *)map(4096, MAP_PRIVATE) + 8, 64, "of the child");
        place = NULL;
        forget();
        exit(0);
    }
    EXPECT(waitpid(child, NULL, 0) == child);
    kept[0] = place;
    kept[1] = place + 4096;
}

// --- handlers that jump

static sigjmp_buf before;
static volatile sig_atomic_t may_jump;
static volatile sig_atomic_t jumps;

static void jump(int signal_number)
{
    (void)signal_number;
    if (!may_jump) return;
    may_jump = 0;
    jumps++;
    siglongjmp(before, 1);
}

// Locks that it leaves behind are free again, also while other threads wait for them.
static void jumping(void)
{
    struct itimerval often = {{0, 97}, {0, 97}};
    struct itimerval never = {{0, 0}, {0, 0}};
    pthread_t all[THREADS];
    sigset_t set;
    char *place = (char *)map((THREADS + 1) * 65536, MAP_PRIVATE);
    signal(SIGALRM, jump);
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    EXPECT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&all[i], NULL, track_and_untrack, place + 65536 * i) == 0);
    }
    EXPECT(setitimer(ITIMER_REAL, &often, NULL) == 0);
    EXPECT(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
    for (volatile int i = 0; i < 100000 || jumps < 500; i++) {
        if (sigsetjmp(before, 1) == 0) may_jump = 1;
        mete_track(place + 65536 * THREADS + i % 100 * 64, 64, "by the jumper");
    }
    may_jump = 0;
    EXPECT(setitimer(ITIMER_REAL, &never, NULL) == 0);
    for (int i = 0; i < THREADS; i++) EXPECT(pthread_join(all[i], NULL) == 0);
}

// A sandbox that allows four system calls.
static void confined(void)
{
    char *place = (char *)map(4096, MAP_PRIVATE);
    mete_track(place, 64, "before");
    EXPECT(prctl(PR_SET_SECCOMP, 1) == 0);
    mete_track(place + 64, 64, "after");
    mete_untrack(place);
    __asm__ volatile("syscall" : : "a"(60), "D"(0)); // exit, of this thread
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } all[] = {
        {"kinds", kinds},       {"names", names},       {"threads", threads},
        {"handlers", handlers}, {"children", children}, {"confined", confined},
        {"jumping", jumping},
    };
    EXPECT(argc == 2);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(argv[1], all[i].name)) continue;
        all[i].run();
        exit(0);
    }
    return 2;
}
