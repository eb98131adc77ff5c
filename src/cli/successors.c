#include "cli/successors.h"

#include "cli/liveness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOOKS_MAX = 2, LOOK_US = 500 };

// Whether the environment that a program began with has our settings. False when it is closed to
// us; *is_empty_out: there is nothing in it.
static bool has_settings(pid_t pid, bool *is_empty_out)
{
    char path[64];
    char *word = NULL;
    size_t size = 0;
    bool has_words = false;
    bool has_object = false;
    *is_empty_out = true;
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *environment = fopen(path, "re");
    if (!environment) return false;
    while (getdelim(&word, &size, '\0', environment) > 0) {
        *is_empty_out = false;
        has_words |= strncmp(word, "METE=", 5) == 0;
        has_object |= strncmp(word, "LD_PRELOAD=", 11) == 0 && strstr(word, "libmete-preload");
    }
    free(word);
    (void)fclose(environment);
    return has_words && has_object;
}

// The same once more where there is none: within exec the kernel says so for a moment.
static bool has_settings_soon(pid_t pid)
{
    bool is_empty;
    bool has = has_settings(pid, &is_empty);
    for (int i = 0; is_empty && i < LOOKS_MAX; i++) {
        (void)usleep(LOOK_US);
        has = has_settings(pid, &is_empty);
    }
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
    found.has_settings = has_settings_soon(pid);
    // One that ends meanwhile has no environment either.
    if (!program_read(pid, again) || strcmp(again, found.program) != 0) return false;
    *successor_out = found;
    return true;
}

void successors_note(struct successors *self, pid_t pid, unsigned image)
{
    struct successor found;
    if (!successor_look(pid, UINT64_MAX, &found)) return;
    found.image = image;
    self->all[self->next++ % SUCCESSORS_MAX] = found;
}

const struct successor *successors_find(const struct successors *self, pid_t pid, unsigned image)
{
    for (size_t i = 0; i < SUCCESSORS_MAX && i < self->next; i++) {
        const struct successor *one = &self->all[(self->next - 1 - i) % SUCCESSORS_MAX];
        if (one->pid == pid && one->image == image) return one;
    }
    return NULL;
}
