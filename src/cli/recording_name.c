#include "cli/recording_name.h"

#include "base/pattern.h"

#include <stdio.h>
#include <string.h>

#define ENDING ".mete"

bool recording_name_write(const struct recording_name *self, const char *pattern, char *path,
                          size_t size)
{
    char pid[16];
    (void)snprintf(pid, sizeof pid, "%d", (int)self->pid);
    const struct pattern_field fields[] = {
        {'p', pid},
        {'n', self->program},
        {'h', self->host},
    };
    const size_t field_count = sizeof fields / sizeof *fields;
    if (!pattern_expand(pattern, fields, field_count, path, size)) return false;
    size_t len = strlen(path);
    if (len > 0 && path[len - 1] == '/') {
        if (!pattern_expand(RECORDING_NAME_DEFAULT, fields, field_count, path + len, size - len)) {
            return false;
        }
        len += strlen(path + len);
    }
    if (self->number <= 1) return true;
    // Before the ending, so that the file is still seen to be one of ours.
    const size_t ending_len = strlen(ENDING);
    const bool has_ending = len > ending_len && strcmp(path + len - ending_len, ENDING) == 0 &&
                            path[len - ending_len - 1] != '/';
    if (has_ending) len -= ending_len;
    const int added =
        snprintf(path + len, size - len, ".%u%s", self->number, has_ending ? ENDING : "");
    return added > 0 && (size_t)added < size - len;
}
