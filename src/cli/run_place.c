#include "cli/run_place.h"

#include "base/pattern.h"
#include "cli/output.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool run_place_find(const char *output, char *folder, size_t size)
{
    char pattern[PATH_MAX];
    char host[256] = "";
    (void)gethostname(host, sizeof host - 1); // no longer ones on Linux
    const struct pattern_field fields[] = {{'h', host}};
    const char *slash = strrchr(output, '/');
    const int len = slash ? (int)(slash - output) + 1 : 1;
    const int made = snprintf(pattern, sizeof pattern, "%.*s", len, slash ? output : ".");
    return made > 0 && (size_t)made < sizeof pattern && !pattern_has(pattern, 'p') &&
           !pattern_has(pattern, 'n') && pattern_expand(pattern, fields, 1, folder, size);
}

bool run_place_is_fit(const char *output)
{
    char folder[PATH_MAX];
    if (!run_place_find(output, folder, sizeof folder)) return true;
    if (access(folder, W_OK | X_OK) == 0) return true;
    const int error = errno;
    say("run: recordings cannot be written to '%s': %s; %s", folder, strerror(error),
        error == ENOENT ? "make that folder, or name another place with -o"
                        : "name another place with -o");
    return false;
}
