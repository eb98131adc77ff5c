#include "cli/successors.h"

#include "cli/liveness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Whether the environment that a program began with has our settings. False when it is closed to
// us, or empty.
static bool has_settings(pid_t pid)
{
    char path[64];
    char *word = NULL;
    size_t size = 0;
    bool has = false;
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *environment = fopen(path, "re");
    if (!environment) return false;
    while (!has && getdelim(&word, &size, '\0', environment) > 0) {
        has = strncmp(word, "METE=", 5) == 0;
    }
    free(word);
    (void)fclose(environment);
    return has;
}

static bool program_read(pid_t pid, char program[static SUCCESSOR_PATH_SIZE])
{
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
    const ssize_t len = readlink(link, program, SUCCESSOR_PATH_SIZE);
    if (len <= 0 || len >= SUCCESSOR_PATH_SIZE) return false;
    program[len] = '\0';
    return true;
}

bool successor_look(pid_t pid, uint64_t begin_max_ms, struct successor *successor_out)
{
    // The pid of another namespace is some older process's here.
    uint64_t own_ms = 0;
    uint64_t begin_ms = 0;
    if (!liveness_process_begin((uint32_t)getpid(), &own_ms) ||
        !liveness_process_begin((uint32_t)pid, &begin_ms)) {
        return false;
    }
    if (begin_ms + LIVENESS_SLACK_MS < own_ms) return false;
    if (begin_ms > begin_max_ms && begin_ms - begin_max_ms > LIVENESS_SLACK_MS) return false;
    struct successor found = {.pid = pid};
    char again[SUCCESSOR_PATH_SIZE];
    if (!program_read(pid, found.program)) return false;
    found.has_settings = has_settings(pid);
    // One that ends meanwhile has no environment either.
    if (!program_read(pid, again) || strcmp(again, found.program) != 0) return false;
    *successor_out = found;
    return true;
}

void successors_note(struct successors *self, pid_t pid)
{
    struct successor found;
    if (!successor_look(pid, UINT64_MAX, &found)) return;
    self->all[self->next++ % SUCCESSORS_MAX] = found;
}

const struct successor *successors_find(const struct successors *self, pid_t pid)
{
    for (size_t i = 0; i < SUCCESSORS_MAX && i < self->next; i++) {
        const struct successor *one = &self->all[(self->next - 1 - i) % SUCCESSORS_MAX];
        if (one->pid == pid) return one;
    }
    return NULL;
}
