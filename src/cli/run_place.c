#include "cli/run_place.h"

#include "base/pattern.h"
#include "cli/output.h"
#include "cli/recording_move.h"
#include "cli/recording_name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

// Whether the name itself is free for a recording, or not known yet: nothing but another recording
// gives way, and another name beside it is not what was asked for.
static bool is_name_free(const char *output)
{
    char target[PATH_MAX];
    char host[256] = "";
    const size_t len = strlen(output);
    (void)gethostname(host, sizeof host - 1);
    const struct recording_name name = {.program = "", .host = host, .number = 1};
    if (pattern_has(output, 'p') || pattern_has(output, 'n') || output[len - 1] == '/') return true;
    if (!recording_name_write(&name, output, target, sizeof target)) return true;
    if (recording_move_look(target) != -EEXIST) return true;
    struct stat file;
    const bool is_folder = stat(target, &file) == 0 && S_ISDIR(file.st_mode);
    if (is_folder) {
        say("run: '%s' is a folder: write '%s/' to put recordings into it", target, target);
    } else {
        say("run: '%s' is there and is no recording: name another place with -o", target);
    }
    return false;
}

// Whether files can be made there. Permission is not all: nobody makes files in /proc. Room may
// come while the program runs.
static int folder_try(const char *folder)
{
    char path[PATH_MAX];
    // Where the file system can: nobody sees that one, nor a folder that has changed.
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (snprintf(path, sizeof path, "%s/.mete-XXXXXX", folder) >= (int)sizeof path) return 0;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) return errno == ENOSPC || errno == EDQUOT ? 0 : errno;
    (void)unlink(path);
    close(fd);
    return 0;
}

bool run_place_is_fit(const char *output)
{
    char folder[PATH_MAX];
    if (!run_place_find(output, folder, sizeof folder)) return true;
    const bool is_missing = access(folder, F_OK) != 0 && errno == ENOENT;
    const int error = folder_try(folder);
    if (!error) return is_name_free(output);
    const char *why =
        error == ENOENT && !is_missing ? "no files can be made there" : strerror(error);
    say("run: recordings cannot be written to '%s': %s; %s", folder, why,
        is_missing ? "make that folder, or name another place with -o"
                   : "name another place with -o");
    return false;
}
