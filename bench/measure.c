// Measure: runs one command and prints what it cost, undisturbed by whoever asks.
// A process starts life with the peak resident size of the one that spawned it, so a Python harness
// would add its own megabytes to every small program. This launcher is linked statically, allocates
// nothing, and spawns by vfork: what it adds is its own half megabyte, less than any program needs.
// The figures are of the whole tree: the child and whatever descendants it waited for.
//
// Usage: measure [--preload=OBJECT] [--input=FILE] [--output=FILE] [--repeat=N] COMMAND…
// Prints a line per run: wall_ns= user_us= system_us= peak_kib= minor_faults= major_faults= status=
// (status as a shell has it: 128 + N for death by signal N). Exits 0, or 125 if it could not run.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ENVIRONMENT_MAX = 1024, // entries passed on; a guess far above any shell's
    PRELOAD_MAX = 4096,     // PATH_MAX, and the name of the variable
    STATUS_FAILED = 125,    // as env(1) has it
};

struct request {
    const char *preload; // NULL: no preload, whatever our own environment says
    const char *input;
    const char *output;
    long repeat;
    char **command;
};

struct figures {
    uint64_t wall_ns;
    struct rusage usage;
    int status;
};

_Noreturn static void fail(const char *what, int error)
{
    fprintf(stderr, "measure: %s: %s\n", what, strerror(error));
    exit(STATUS_FAILED);
}

static uint64_t clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail for this clock
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

// Our environment with LD_PRELOAD replaced by `preload`, or taken out when that is NULL.
// The vector is borrowed until the next call.
static char **environment_with(const char *preload)
{
    static char *entries[ENVIRONMENT_MAX + 2];
    static char variable[PRELOAD_MAX];
    size_t count = 0;
    for (size_t i = 0; environ[i] != NULL; i++) {
        if (strncmp(environ[i], "LD_PRELOAD=", strlen("LD_PRELOAD=")) == 0) continue;
        if (count == ENVIRONMENT_MAX) fail("environment", E2BIG);
        entries[count++] = environ[i];
    }
    if (preload != NULL) {
        // The loader would see several objects, warn about each, and run the program without.
        if (strpbrk(preload, " :") != NULL) fail("--preload holds a space or colon", EINVAL);
        int len = snprintf(variable, sizeof variable, "LD_PRELOAD=%s", preload);
        if (len >= (int)sizeof variable) fail(preload, ENAMETOOLONG);
        entries[count++] = variable;
    }
    entries[count] = NULL;
    return entries;
}

static void redirect(posix_spawn_file_actions_t *actions, int fd, const char *path, int flags)
{
    int error = posix_spawn_file_actions_addopen(actions, fd, path, flags, 0600);
    if (error) fail(path, error);
}

static struct figures run_once(const struct request *request, char **environment)
{
    posix_spawn_file_actions_t actions;
    (void)posix_spawn_file_actions_init(&actions); // glibc's cannot fail
    redirect(&actions, STDIN_FILENO, request->input, O_RDONLY);
    redirect(&actions, STDOUT_FILENO, request->output, O_WRONLY | O_CREAT | O_TRUNC);
    struct figures figures = {0};
    pid_t pid;
    uint64_t begin = clock_ns();
    int error =
        posix_spawnp(&pid, request->command[0], &actions, NULL, request->command, environment);
    if (error) fail(request->command[0], error);
    int status;
    while (wait4(pid, &status, 0, &figures.usage) < 0) {
        if (errno != EINTR) fail("wait4", errno);
    }
    figures.wall_ns = clock_ns() - begin;
    figures.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    (void)posix_spawn_file_actions_destroy(&actions); // cannot fail
    return figures;
}

static void print_figures(const struct figures *figures)
{
    const struct rusage *usage = &figures->usage;
    printf("wall_ns=%" PRIu64 " user_us=%" PRIu64 " system_us=%" PRIu64
           " peak_kib=%ld minor_faults=%ld major_faults=%ld status=%d\n",
           figures->wall_ns, microseconds(usage->ru_utime), microseconds(usage->ru_stime),
           usage->ru_maxrss, usage->ru_minflt, usage->ru_majflt, figures->status);
}

// The value of `argument` when it is `name` followed by '='; else NULL.
static const char *option_value(const char *argument, const char *name)
{
    size_t len = strlen(name);
    return strncmp(argument, name, len) == 0 && argument[len] == '=' ? argument + len + 1 : NULL;
}

static struct request parse(char **arguments)
{
    struct request request = {.input = "/dev/null", .output = "/dev/null", .repeat = 1};
    size_t i = 1;
    for (; arguments[i] != NULL && strncmp(arguments[i], "--", 2) == 0; i++) {
        const char *value;
        if ((value = option_value(arguments[i], "--preload"))) {
            request.preload = value;
        } else if ((value = option_value(arguments[i], "--input"))) {
            request.input = value;
        } else if ((value = option_value(arguments[i], "--output"))) {
            request.output = value;
        } else if ((value = option_value(arguments[i], "--repeat"))) {
            request.repeat = strtol(value, NULL, 10);
        } else {
            fail(arguments[i], EINVAL);
        }
    }
    if (arguments[i] == NULL || request.repeat < 1) fail("usage", EINVAL);
    request.command = arguments + i;
    return request;
}

int main(int argc, char **argv)
{
    (void)argc;
    struct request request = parse(argv);
    char **environment = environment_with(request.preload);
    for (long i = 0; i < request.repeat; i++) {
        struct figures figures = run_once(&request, environment);
        print_figures(&figures);
    }
    return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
}
