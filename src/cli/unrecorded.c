#include "cli/unrecorded.h"

#include "cli/environment.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// So long a run may have used up all pids, and can pay for a look at every process. A guess.
static const unsigned long long long_run_ns = 10000000000ULL;

static FILE *open_of(pid_t pid, const char *file)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return fopen(path, "re");
}

// Whether such words stand in a line of what a process has mapped.
static bool maps(pid_t pid, const char *words)
{
    FILE *opened = open_of(pid, "maps");
    if (!opened) return false;
    char *line = NULL;
    size_t size = 0;
    bool has = false;
    while (!has && getline(&line, &size, opened) > 0) has = strstr(line, words);
    free(line);
    (void)fclose(opened);
    return has;
}

// Whether it was told to record there: of several places, as under a run within a run, the last
// holds.
static bool has_place(const char *variable, const char *place)
{
    static const char begin[] = "METE=";
    static const char key[] = "recording=";
    const char *last = NULL;
    if (strncmp(variable, begin, sizeof begin - 1) != 0) return false;
    for (const char *at = variable; (at = strstr(at, key)); at++) last = at;
    return last && strstr(last, place);
}

// Whether a process's environment says so. The folder's name is one of a kind.
static bool is_told(pid_t pid, const char *folder)
{
    char place[256];
    const char *name = strrchr(folder, '/');
    if (!name || snprintf(place, sizeof place, "%s/", name) >= (int)sizeof place) return false;
    FILE *opened = open_of(pid, "environ");
    if (!opened) return false;
    char *variable = NULL;
    size_t size = 0;
    bool is = false;
    while (!is && getdelim(&variable, &size, '\0', opened) > 0) is = has_place(variable, place);
    free(variable);
    (void)fclose(opened);
    return is;
}

// The pid by which a process knows itself; 0 when it is gone.
static int own_pid(pid_t pid)
{
    FILE *status = open_of(pid, "status");
    char line[256];
    int own = 0;
    while (status && own == 0 && fgets(line, sizeof line, status)) {
        if (strncmp(line, "NSpid:", 6) == 0) own = atoi(strrchr(line, '\t') + 1);
    }
    if (status) (void)fclose(status);
    return own;
}

// Of what a forked child has mapped there only what has its own pid is its own.
static bool is_unrecorded(pid_t pid, const char *folder)
{
    char words[256];
    if (!is_told(pid, folder)) return false;
    // Without our object it never will: a static program, say.
    if (!maps(pid, ENVIRONMENT_LINK)) return false;
    (void)snprintf(words, sizeof words, "%s/%d.", strrchr(folder, '/'), own_pid(pid));
    return !maps(pid, words);
}

// Whether it waits, for something else than memory or a disk, as no loader does.
static bool is_waiting(pid_t pid)
{
    FILE *status = open_of(pid, "status");
    char line[256];
    char state = 'X'; // it is gone
    while (status && fgets(line, sizeof line, status)) {
        if (sscanf(line, "State: %c", &state) == 1) break;
    }
    if (status) (void)fclose(status);
    return state != 'R' && state != 'D';
}

// Whether the loader is still at it: it records as soon as that is done. (What was forked has its
// parent's recording mapped.)
static bool is_being_loaded(pid_t pid, const char *folder)
{
    if (is_waiting(pid) || !is_told(pid, folder)) return false;
    if (maps(pid, strrchr(folder, '/'))) return false;
    return maps(pid, ENVIRONMENT_LINK) || (maps(pid, "/ld-linux") && !maps(pid, "/libc.so"));
}

static void read_name(struct unrecorded *self)
{
    FILE *file = open_of(self->pid, "comm");
    if (!file || !fgets(self->name, sizeof self->name, file)) strcpy(self->name, "a process");
    if (file) (void)fclose(file);
    self->name[strcspn(self->name, "\n")] = '\0';
}

// The next process after that pid; 0: there are no more.
static pid_t next_process(DIR *processes, pid_t after)
{
    for (const struct dirent *entry; (entry = readdir(processes));) {
        char *end = NULL;
        const unsigned long pid = strtoul(entry->d_name, &end, 10);
        if (!*end && pid > (unsigned long)after) return (pid_t)pid;
    }
    return 0;
}

size_t unrecorded_find(const struct live_folder *folder, pid_t after, struct unrecorded *all,
                       size_t max)
{
    DIR *processes = opendir("/proc");
    if (!processes) return 0;
    size_t count = 0;
    for (pid_t pid; (pid = next_process(processes, after));) {
        if (!is_unrecorded(pid, folder->path)) continue;
        if (count < max) {
            all[count] = (struct unrecorded){.pid = pid};
            read_name(&all[count]);
        }
        count++;
    }
    closedir(processes);
    return count;
}

void unrecorded_settle(const struct live_folder *folder, pid_t after)
{
    // As long as a loader takes on a busy machine, and a little for what comes behind it. A guess.
    enum { LOOKS = 40 };
    static const struct timespec pause = {.tv_nsec = 5000000};
    bool has_more = true;
    for (int i = 0; has_more && i < LOOKS; i++) {
        has_more = false;
        DIR *processes = opendir("/proc");
        if (!processes) return;
        for (pid_t pid; !has_more && (pid = next_process(processes, after));) {
            has_more = is_being_loaded(pid, folder->path);
            if (has_more) after = pid - 1; // those before are not
        }
        closedir(processes);
        if (has_more || i > 0) (void)nanosleep(&pause, NULL);
    }
}

pid_t unrecorded_after(unsigned long long ns)
{
    int last = 0;
    FILE *file = ns < long_run_ns ? fopen("/proc/loadavg", "re") : NULL;
    // Three averages, tasks that run and are, and the pid that was given last.
    const bool is_known = file && fscanf(file, "%*s %*s %*s %*s %d", &last) == 1;
    if (file) (void)fclose(file);
    return is_known && last >= getpid() ? getpid() : 0;
}
