#include "cli/run_child.h"

#include "cli/process_stat.h"
#include "os/group_witness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// What is handed on. The terminal sends some of these to the whole process group.
static const int relayed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGTSTP};
#define RELAYED_COUNT (sizeof relayed / sizeof relayed[0])

// What would keep us from telling how the program fared.
static const struct {
    int number;
    void (*handler)(int);
} changed[SIGNALS_CHANGED] = {
    {SIGCHLD, SIG_DFL}, // where it is ignored there is no status to wait for
    {SIGPIPE, SIG_IGN}, // the reader of our words may have gone
    {SIGXFSZ, SIG_IGN}, // `ulimit -f` may be less than a recording
};

static sigset_t relayed_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < RELAYED_COUNT; i++) sigaddset(&set, relayed[i]);
    return set;
}

void signals_hold(struct signal_hold *self)
{
    // Blocked, not handled: a signal waits until we ask for it, whatever becomes of it by default.
    sigset_t held = relayed_set();
    sigaddset(&held, SIGCHLD);
    sigprocmask(SIG_BLOCK, &held, &self->mask);
    for (size_t i = 0; i < SIGNALS_CHANGED; i++) {
        const struct sigaction action = {.sa_handler = changed[i].handler};
        sigaction(changed[i].number, &action, &self->actions[i]);
    }
}

static bool is_sent_by_process(const siginfo_t *info)
{
    return info->si_code <= 0; // SI_USER, SI_QUEUE, SI_TKILL; the kernel's are above
}

// Of what is pending, what others sent stays so, but not what our group got where that was the
// program's, too.
static void filter_pending(struct group_witness *witness, bool is_groups_ours)
{
    const sigset_t set = relayed_set();
    const struct timespec now = {0};
    siginfo_t info;
    sigset_t again;
    sigemptyset(&again);
    while (sigtimedwait(&set, &info, &now) > 0) {
        const bool is_groups = is_groups_ours && group_witness_saw(witness, info.si_signo);
        if (is_sent_by_process(&info) && !is_groups) sigaddset(&again, info.si_signo);
    }
    for (size_t i = 0; i < RELAYED_COUNT; i++) {
        if (sigismember(&again, relayed[i])) (void)raise(relayed[i]);
    }
}

void signals_release(const struct signal_hold *self)
{
    filter_pending(NULL, false);
    sigprocmask(SIG_SETMASK, &self->mask, NULL);
}

// In the child; an errno goes through the pipe, which exec closes.
_Noreturn static void become(char **command, const struct environment *environment,
                             const struct signal_hold *hold, int pipe_end)
{
    int error = 0;
    if (environment) {
        if (setenv("LD_PRELOAD", environment->preload, 1) < 0) error = errno;
        if (!error && setenv("METE", environment->settings, 1) < 0) error = errno;
    }
    if (!error) {
        for (size_t i = 0; i < SIGNALS_CHANGED; i++) {
            sigaction(changed[i].number, &hold->actions[i], NULL);
        }
        sigprocmask(SIG_SETMASK, &hold->mask, NULL);
        (void)execvp(command[0], command);
        error = errno;
    }
    // When it cannot be told, the parent sees a status that no exec would have given.
    (void)!write(pipe_end, &error, sizeof error);
    _exit(127);
}

// What exec answered in the child, which has ended: 0 when it ran.
static int exec_error_read(int pipe_end)
{
    int error = 0;
    const ssize_t count = read(pipe_end, &error, sizeof error);
    return count == (ssize_t)sizeof error ? error : 0;
}

static bool has_continued(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WCONTINUED | WNOHANG) == 0 && info.si_pid == pid;
}

// Whether the program continues within a moment (a guess) without our doing. SIGCHLD may still be
// there from before.
static bool continues_by_itself(pid_t pid)
{
    enum { STEPS = 10 };
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    bool is_continued = has_continued(pid);
    for (int i = 0; i < STEPS && !is_continued; i++) {
        (void)sigtimedwait(&child, NULL, &moment);
        is_continued = has_continued(pid);
    }
    return is_continued;
}

// While we are stopped, nobody tells us that the program alone was continued or killed: a process
// that wakes us then. Its pid; -1: there is none.
static pid_t waker_begin(pid_t pid)
{
    const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
    const pid_t own = getpid();
    const pid_t waker = fork();
    if (waker != 0) return waker;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setsid(); // what our group gets is not for it
    while (getppid() == own && !process_is_stopped((uint32_t)own)) (void)nanosleep(&moment, NULL);
    while (getppid() == own && process_is_stopped((uint32_t)pid)) (void)nanosleep(&moment, NULL);
    if (getppid() == own) (void)kill(own, SIGCONT);
    _exit(0);
}

static void waker_end(pid_t waker)
{
    if (waker <= 0) return;
    (void)kill(waker, SIGKILL);
    (void)waitpid(waker, NULL, 0);
}

// The program has stopped: so do we, for the same reason, that the shell may see it.
static void stop_too(pid_t pid, int signal)
{
    sigset_t stop;
    sigemptyset(&stop);
    const pid_t waker = waker_begin(pid);
    const bool is_job_control = signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
    if (is_job_control) {
        sigset_t before;
        const struct sigaction by_default = {.sa_handler = SIG_DFL};
        struct sigaction action;
        sigaction(signal, &by_default, &action);
        (void)raise(signal);
        sigaddset(&stop, signal);
        sigprocmask(SIG_UNBLOCK, &stop, &before); // here we stop
        sigprocmask(SIG_SETMASK, &before, NULL);
        sigaction(signal, &action, NULL);
    } else {
        (void)raise(SIGSTOP);
    }
    waker_end(waker);
    // A shell continues the whole group, others perhaps us alone. A program that handles SIGCONT
    // should get it once.
    if (!continues_by_itself(pid)) (void)kill(pid, SIGCONT);
}

static bool should_relay(const siginfo_t *info, pid_t pid, struct group_witness *witness)
{
    if (info->si_signo == SIGCHLD) return false;
    // What our whole group gets, the program has got. Asked of every signal: it is over then.
    const bool is_groups = group_witness_saw(witness, info->si_signo) && getpgid(pid) == getpgrp();
    if (info->si_signo == SIGALRM) return !is_groups; // a clock set before mete was there, too
    // A terminal that hangs up tells the leader of its session alone, which the program would be.
    const bool is_hung_up = info->si_signo == SIGHUP && getsid(0) == getpid();
    const bool is_for_us = is_sent_by_process(info) || is_hung_up;
    return is_for_us && info->si_pid != pid && !is_groups;
}

// Returns when a signal of the set is there, at the latest. Without `signals`, which shows these,
// at once.
static void watch_until_signal(const struct child_watch *watch, pid_t pid, int signals)
{
    struct pollfd ends[] = {
        {.fd = signals, .events = POLLIN},
        {.fd = watch->fd, .events = POLLIN},
    };
    while (signals >= 0 && watch->fd >= 0) {
        ends[0].revents = 0; // of no call
        const int count = poll(ends, 2, -1);
        if (count < 0 && errno == EINTR) continue; // we had been stopped
        if (count < 0 || ends[0].revents || ends[1].revents & ~POLLIN) return;
        watch->ready(watch->context, pid);
    }
}

// Waits as waitpid does, without stopping here. Of one that ends, whether it is of our group.
static pid_t wait_once(pid_t pid, struct child_end *end, bool *is_of_group_out)
{
    siginfo_t info = {0};
    const int how = WEXITED | WNOHANG | WNOWAIT;
    if (waitid(P_PID, (id_t)pid, &info, how) == 0 && info.si_pid == pid) {
        (void)process_stat_read((uint32_t)pid, PROCESS_CHILDREN_FAULTS, &end->children_faults);
        *is_of_group_out = getpgid(pid) == getpgrp();
    }
    return waitpid(pid, &end->status, WNOHANG | WUNTRACED);
}

static void wait_for_end(pid_t pid, const struct child_watch *watch, int signals,
                         struct group_witness *witness, struct child_end *end)
{
    sigset_t set = relayed_set();
    sigaddset(&set, SIGCHLD);
    bool is_of_group = false;
    for (;;) {
        const pid_t waited = wait_once(pid, end, &is_of_group);
        if (waited == pid && !WIFSTOPPED(end->status)) break;
        if (waited == pid) {
            stop_too(pid, WSTOPSIG(end->status));
            group_witness_renew(witness);
            continue;
        }
        siginfo_t info;
        watch_until_signal(watch, pid, signals);
        if (sigwaitinfo(&set, &info) < 0) continue;
        // It may have ended, or have become another user's: then there is nobody to tell.
        if (should_relay(&info, pid, witness)) (void)kill(pid, info.si_signo);
    }
    filter_pending(witness, is_of_group);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

struct process_end child_end_known(const struct child_end *self)
{
    return (struct process_end){
        .status = self->status,
        .duration_ms = self->wall_ns / 1000000,
        .end_ms = self->end_ns / 1000000,
    };
}

int child_run(char **command, const struct environment *environment, const struct signal_hold *hold,
              const struct child_watch *watch, struct child_end *end_out, bool *is_exec_out)
{
    *is_exec_out = false;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    const uint64_t begin = now_ns();
    struct child_end end = {.pid = fork()};
    if (end.pid < 0) {
        const int error = -errno;
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    if (end.pid == 0) become(command, environment, hold, ends[1]);
    close(ends[1]);
    // The pipe is read last: reading it waits for exec, and a Ctrl-Z may come before that.
    sigset_t waited = relayed_set();
    sigaddset(&waited, SIGCHLD);
    const int signals = signalfd(-1, &waited, SFD_CLOEXEC); // without one nothing is watched
    struct group_witness witness = {0};
    group_witness_begin(&witness);
    wait_for_end(end.pid, watch, signals, &witness, &end);
    group_witness_end(&witness);
    if (signals >= 0) close(signals);
    end.end_ns = now_ns();
    end.wall_ns = end.end_ns - begin;
    const int exec_error = exec_error_read(ends[0]);
    close(ends[0]);
    if (exec_error) {
        *is_exec_out = exec_error != ENOMEM;
        return -exec_error;
    }
    *end_out = end;
    return 0;
}
