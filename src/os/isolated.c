#include "os/isolated.h"

#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PART_SIZE = 1 << 16, CPU_SECONDS_MORE = 10 };

static void limit(__rlimit_resource_t what, uint64_t most)
{
    struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
    (void)setrlimit(what, &limit); // a lower one is there already
}

// What the new process does before and after `run`.
static _Noreturn void run(const struct isolated_task *task, int fd, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // cannot fail with a valid signal
    if (getppid() != parent) _exit(EXIT_FAILURE);
    limit(RLIMIT_CORE, 0);
    (void)prctl(PR_SET_DUMPABLE, 0); // where cores go to a program, no limit counts
    if (task->memory_bytes_max > 0) limit(RLIMIT_AS, task->memory_bytes_max);
    limit(RLIMIT_CPU, (uint64_t)task->milliseconds_max / 1000 + CPU_SECONDS_MORE);
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGXCPU};
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        (void)signal(crashes[i], SIG_DFL); // the handlers of the program are not for this
    }
    (void)signal(SIGPIPE, SIG_IGN); // a write that fails says so
    // No exit handlers: they are the program's.
    _exit(task->run(task->run_context, fd) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

// Hands on what comes until the end of it or of the time.
static int take_all(const struct isolated_task *task, int fd, bool *is_late)
{
    char *part = malloc(PART_SIZE);
    if (!part) return -ENOMEM;
    int64_t deadline = (int64_t)clock_coarse_ms() + task->milliseconds_max;
    int error = 0;
    *is_late = false;
    while (error == 0) {
        int64_t left = deadline - (int64_t)clock_coarse_ms();
        struct pollfd waited = {.fd = fd, .events = POLLIN};
        int ready = left > 0 ? poll(&waited, 1, left > 1000 ? 1000 : (int)left) : 0;
        if (left <= 0) {
            *is_late = true;
            break;
        }
        if (ready <= 0) continue; // a signal, or another second passed
        ssize_t got = read(fd, part, PART_SIZE);
        if (got == 0) break;
        if (got > 0) error = task->take(task->take_context, part, (size_t)got);
        if (got < 0 && errno != EINTR) error = -errno;
    }
    free(part);
    return error;
}

int isolated_run(const struct isolated_task *task, enum isolated_end *end_out)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) {
        int error = -errno;
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    if (child == 0) {
        close(ends[0]);
        run(task, ends[1], parent);
    }
    close(ends[1]);
    bool is_late;
    int error = take_all(task, ends[0], &is_late);
    close(ends[0]);
    // A process that has closed its end is about to exit; others are done with.
    if (error || is_late) (void)kill(child, SIGKILL);
    int status = 0;
    pid_t waited;
    do {
        waited = waitpid(child, &status, 0);
    } while (waited < 0 && errno == EINTR);
    if (error) return error;
    if (is_late) {
        *end_out = ISOLATED_LATE;
    } else if (waited < 0 || WIFEXITED(status)) {
        // Where SIGCHLD is ignored there is no status: what came is what there is.
        *end_out = waited < 0 || WEXITSTATUS(status) == 0 ? ISOLATED_DONE : ISOLATED_FAILED;
    } else {
        *end_out = ISOLATED_CRASHED;
    }
    return 0;
}
