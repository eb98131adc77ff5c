#include "cli/skips.h"

#include "cli/cmd.h"
#include "cli/output.h"

int skips_add(struct skips *self, const char *command, const char *pattern)
{
    if (self->count == SKIPS_MAX) {
        say("%s: more than %d times --skip", command, SKIPS_MAX);
        return STATUS_USAGE;
    }
    self->patterns[self->count++] = pattern;
    return STATUS_OK;
}
