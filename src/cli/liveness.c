#include "cli/liveness.h"

#include "cli/process_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum liveness liveness_of_file(int fd)
{
    // Who opens the file for writing just now would have us told, by a signal that ends programs;
    // this one is ignored.
    (void)fcntl(fd, F_SETSIG, SIGURG);
    // A lease on reading is refused as long as anybody may write, and a mapping counts as such.
    if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
        return LIVENESS_NONE;
    }
    return errno == EAGAIN ? LIVENESS_SOME : LIVENESS_UNKNOWN;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now); // cannot fail
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool liveness_process_begin(uint32_t pid, uint64_t *begin_ms_out)
{
    unsigned long long ticks = 0;
    if (!process_stat_read(pid, PROCESS_START, &ticks)) return false;
    const int64_t age_ms = clock_ms(CLOCK_BOOTTIME) -
                           (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
    *begin_ms_out = (uint64_t)(clock_ms(CLOCK_REALTIME) - age_ms);
    return true;
}

static bool is_of_this_host(const struct profile_process *process)
{
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1); // no longer ones on Linux
    return strcmp(host, process->host) == 0;
}

bool liveness_of_process(const struct profile_process *process)
{
    if (process->pid == 0 || !is_of_this_host(process)) return false;
    uint64_t begin_ms = 0;
    if (!liveness_process_begin(process->pid, &begin_ms)) return false;
    if (begin_ms > process->begin_ms + LIVENESS_SLACK_MS) return false; // the pid is another's now
    char link[64];
    char program[PATH_MAX];
    (void)snprintf(link, sizeof link, "/proc/%u/exe", process->pid);
    const ssize_t len = readlink(link, program, sizeof program);
    const size_t want = strlen(process->program);
    static const char gone[] = " (deleted)"; // it was built anew, say
    const size_t gone_len = sizeof gone - 1;
    return len > 0 &&
           memcmp(program, process->program, want < (size_t)len ? want : (size_t)len) == 0 &&
           ((size_t)len == want ||
            ((size_t)len == want + gone_len && memcmp(program + want, gone, gone_len) == 0));
}

bool liveness_of_recording(const char *path, const struct profile_process *process,
                           bool *is_copy_out)
{
    *is_copy_out = false;
    if (process->state != PROFILE_RUNNING) return false;
    enum liveness liveness = LIVENESS_UNKNOWN;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        liveness = liveness_of_file(fd);
        close(fd);
    }
    *is_copy_out = liveness == LIVENESS_NONE;
    return liveness == LIVENESS_SOME || liveness_of_process(process);
}

bool liveness_age(const struct profile_process *process, uint64_t *age_ms_out)
{
    // Before time 0 of that clock there was another boot.
    const uint64_t now_ms = (uint64_t)clock_ms(CLOCK_MONOTONIC);
    const uint64_t begin_ms = process->begin_monotonic_ms;
    if (begin_ms == 0 || begin_ms > now_ms || !is_of_this_host(process)) return false;
    *age_ms_out = now_ms - begin_ms;
    return true;
}
