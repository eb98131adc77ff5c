// What programs do to whoever counts their memory: rough WHAT. Says on standard output what the
// test must know.
#include "stacks.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static void *volatile sink; // so that no call is optimised away
static long clock_calls;

// The program's own, in place of libc's: it allocates, and it goes back.
int clock_gettime(clockid_t which, struct timespec *now)
{
    clock_calls++;
    sink = malloc(16);
    free(sink);
    long result = syscall(SYS_clock_gettime, which, now);
    now->tv_sec -= clock_calls;
    return (int)result;
}

static int own_clock(void)
{
    for (int i = 0; i < 1000; i++) {
        sink = malloc(100);
        free(sink);
    }
    printf("%ld\n", clock_calls);
    return 0;
}

// What asks for nothing.
static int nothing(void)
{
    for (int i = 0; i < 50; i++) {
        sink = malloc(0);
        sink = calloc(0, 9);
    }
    return 0;
}

// All at once after a second, and nothing of it before.
static int late(void)
{
    sink = malloc(16);
    usleep(1000000);
    sink = malloc(64 * MIB);
    usleep(200000);
    return 0;
}

static int held(void)
{
    void *block = malloc(64 * MIB);
    usleep(1000000);
    free(block);
    return 0;
}

static void *free_block(void *block)
{
    free(block);
    return NULL;
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) exit(9);
    fclose(file);
    return pages * 4;
}

// Threads that only free: they have no heap.
static int frees_only(void)
{
    long before = 0;
    for (int i = 0; i < 3000; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, free_block, malloc(1000))) return 9;
        pthread_join(thread, NULL);
        if (i == 100) before = resident_kib();
    }
    printf("%ld\n", resident_kib() - before);
    return 0;
}

static volatile sig_atomic_t is_child;
static volatile sig_atomic_t forks;

static void fork_in_handler(int signal_number)
{
    (void)signal_number;
    if (fork() == 0) is_child = 1;
    forks++;
}

static int handler_forks(void)
{
    const struct itimerval often = {{0, 2000}, {0, 2000}};
    signal(SIGALRM, fork_in_handler);
    setitimer(ITIMER_REAL, &often, NULL);
    long count = 0;
    while (forks < 200) {
        sink = malloc(100);
        free(sink);
        count++;
        if (is_child) _exit(0);
    }
    if (is_child) _exit(0); // of the last fork, which came when it had just been asked
    signal(SIGALRM, SIG_IGN);
    int bad = 0;
    for (int status = 0; wait(&status) > 0;) bad += status != 0;
    printf("%ld %d\n", count, bad);
    return 0;
}

static void pass(void)
{
    sink = malloc(60);
    free(sink);
}

// From then on the kernel ends who calls anything but read, write and exit.
static int strict(void)
{
    wind(1, pass);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) return 9;
    for (unsigned i = 0; i < 1000; i++) wind(1000 + i, pass);
    if (write(1, "well\n", 5) != 5) return 9;
    syscall(SYS_exit, 0);
    return 9;
}

// A child's first call is an allocation; its own child's is the free of that.
static int grandchild(void)
{
    if (fork() == 0) {
        char *block = malloc(48);
        if (fork() == 0) {
            free(block);
            exit(0);
        }
        wait(NULL);
        exit(0);
    }
    wait(NULL);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } all[] = {
        {"own_clock", own_clock},
        {"nothing", nothing},
        {"late", late},
        {"held", held},
        {"frees_only", frees_only},
        {"handler_forks", handler_forks},
        {"grandchild", grandchild},
        {"strict", strict},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (argc > 1 && strcmp(argv[1], all[i].name) == 0) return all[i].run();
    }
    return 2;
}
