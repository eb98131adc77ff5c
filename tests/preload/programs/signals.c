// Signal handlers that allocate where glibc survives it: the interrupted thread is not inside the
// heap. Also on a stack of the program's own, and in a thread that never allocated before.
#include "program.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t handled;

static void handle(int number)
{
    (void)number;
    exercise((unsigned)handled);
    handled++;
}

static void *take_signal(void *unused)
{
    sigset_t set;
    sigemptyset(&set);
    while (handled < 60) sigsuspend(&set); // has allocated nothing itself
    return unused;
}

int main(void)
{
    static char stack[128 * 1024];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    EXPECT(sigaltstack(&other, NULL) == 0);
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK | SA_RESTART};
    EXPECT(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);

    for (int i = 0; i < 20; i++) raise(SIGUSR1);
    struct itimerval often = {.it_interval = {0, 2000}, .it_value = {0, 2000}};
    EXPECT(setitimer(ITIMER_REAL, &often, NULL) == 0);
    volatile unsigned long work = 0;
    while (handled < 50) work = work + 1; // interrupted here, never in the heap
    struct itimerval never = {0};
    EXPECT(setitimer(ITIMER_REAL, &never, NULL) == 0);

    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, take_signal, NULL) == 0);
    while (handled < 60) {
        pthread_kill(thread, SIGUSR1);
        usleep(1000);
    }
    EXPECT(pthread_join(thread, NULL) == 0);
    exercise(1);
    return 0;
}
