#include "cli/unrecorded.h"

#include "cli/environment.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// So long a run may have used up all pids, and can pay for a look at every process. A guess.
static const unsigned long long long_run_ns = 10000000000ULL;

static FILE *open_of(pid_t pid, const char *file)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return fopen(path, "re");
}

// Whether such words stand in a file of a process's.
static bool has_words(pid_t pid, const char *file, const char *words)
{
    FILE *opened = open_of(pid, file);
    if (!opened) return false;
    char *line = NULL;
    size_t size = 0;
    bool has = false;
    ssize_t read;
    while (!has && (read = getline(&line, &size, opened)) > 0) {
        has = memmem(line, (size_t)read, words, strlen(words)); // they may hold zeroes
    }
    free(line);
    (void)fclose(opened);
    return has;
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

// The folder's name is one of a kind. Of what a forked child has mapped there only what has its own
// pid is its own.
static bool is_unrecorded(pid_t pid, const char *folder)
{
    char words[256];
    const char *name = strrchr(folder, '/');
    if (!name || snprintf(words, sizeof words, "%s/", name) >= (int)sizeof words) return false;
    if (!has_words(pid, "environ", words)) return false;
    // Without our object it never will: a static program, say.
    if (!has_words(pid, "maps", ENVIRONMENT_LINK)) return false;
    (void)snprintf(words, sizeof words, "%s/%d.", name, own_pid(pid));
    return !has_words(pid, "maps", words);
}

static void read_name(struct unrecorded *self)
{
    FILE *file = open_of(self->pid, "comm");
    if (!file || !fgets(self->name, sizeof self->name, file)) strcpy(self->name, "a process");
    if (file) (void)fclose(file);
    self->name[strcspn(self->name, "\n")] = '\0';
}

size_t unrecorded_find(const struct live_folder *folder, pid_t after, struct unrecorded *all,
                       size_t max)
{
    DIR *processes = opendir("/proc");
    if (!processes) return 0;
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(processes));) {
        char *end = NULL;
        const unsigned long pid = strtoul(entry->d_name, &end, 10);
        if (*end || pid <= (unsigned long)after) continue;
        if (!is_unrecorded((pid_t)pid, folder->path)) continue;
        if (count < max) {
            all[count] = (struct unrecorded){.pid = (pid_t)pid};
            read_name(&all[count]);
        }
        count++;
    }
    closedir(processes);
    return count;
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
