// Forks in a handler, between any two instructions of malloc and free: stepped FIRST STRIDE COUNT.
// The allocation of each try comes from a stack of its own and is executed step by step; at its
// n-th instruction the handler forks (n: FIRST, FIRST + STRIDE ... COUNT times). The child
// allocates there and goes on where that came from. With COUNT 0 it says how many instructions
// there are.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define SITE __attribute__((noinline, noclone))

static void *volatile sink; // so that no call is optimised away
static volatile long steps;
static volatile long fork_at;
static volatile sig_atomic_t is_stepping;
static volatile sig_atomic_t is_child;

SITE static void kept_site(void)
{
    sink = malloc(100);
}

SITE static void child_site(void)
{
    sink = malloc(60);
}

SITE static void stepped_site(void)
{
    raise(SIGTRAP); // from here on
    void *volatile block = malloc(20000);
    free(block);
    is_stepping = 0;
}

SITE static void wind(unsigned long way)
{
    if (way > 1 && way % 2) {
        wind(way / 2);
    } else if (way > 1) {
        wind(way / 2);
    } else {
        stepped_site();
    }
    sink = NULL; // no tail calls
}

static void step(int signal_number, siginfo_t *info, void *context)
{
    enum { TRAP_FLAG = 0x100 };
    (void)signal_number;
    (void)info;
    greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
    if (!is_stepping && steps > 0) *flags &= ~TRAP_FLAG; // it was the last
    if (!is_stepping && steps > 0) return;
    is_stepping = 1;
    *flags |= TRAP_FLAG;
    if (steps++ != fork_at) return;
    pid_t child = fork();
    if (child == 0) {
        is_child = 1;
        is_stepping = 0;
        *flags &= ~TRAP_FLAG;
        child_site();
        return;
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) {
        fprintf(stderr, "at instruction %ld: %#x\n", fork_at, status);
        _exit(7);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) return 2;
    const long first = atol(argv[1]);
    const long stride = atol(argv[2]);
    const long count = atol(argv[3]);
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    // The heap has both at hand from now on: where it takes its locks nobody may interrupt malloc
    // with a malloc, as with libc's.
    void *volatile large = malloc(20000);
    void *volatile small = malloc(60);
    free(small);
    free(large);
    for (long i = 0; i < count + (count == 0) && !is_child; i++) {
        steps = 0;
        fork_at = count > 0 ? first + i * stride : -1;
        wind((unsigned long)(first + i * stride) | 0x100000);
    }
    for (int i = 0; i < 100; i++) kept_site();
    if (!is_child) printf("%ld\n", steps);
    return 0;
}
