#include "cli/program_find.h"

#include "cli/suggest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// What execvp() takes where PATH is not set.
#define PATH_DEFAULT "/bin:/usr/bin"

static const char *search_path(void)
{
    const char *path = getenv("PATH");
    return path ? path : PATH_DEFAULT;
}

static int program_check(const char *path)
{
    struct stat file;
    if (stat(path, &file) < 0) return -errno;
    if (!S_ISREG(file.st_mode)) return -EACCES;
    return access(path, X_OK) == 0 ? 0 : -errno;
}

int program_find(const char *name, char *path, size_t size)
{
    if (*name == '\0') return -ENOENT;
    if (strchr(name, '/')) {
        if ((size_t)snprintf(path, size, "%s", name) >= size) return -ENAMETOOLONG;
        return program_check(path);
    }
    int error = -ENOENT;
    for (const char *at = search_path();;) {
        const size_t len = strcspn(at, ":");
        // An empty entry is where we are.
        const int made = len > 0 ? snprintf(path, size, "%.*s/%s", (int)len, at, name)
                                 : snprintf(path, size, "./%s", name);
        if (made > 0 && (size_t)made < size) {
            const int result = program_check(path);
            if (result == 0) return 0;
            if (result == -EACCES) error = result;
        }
        at += len;
        if (*at++ == '\0') return error;
    }
}

// Offers all programs in a folder; the best so far is kept in *best, NAME_MAX + 1 bytes.
static void suggest_in(struct suggest *suggest, const char *folder, char *best)
{
    DIR *open_folder = opendir(folder);
    if (!open_folder) return;
    const struct dirent *entry;
    while ((entry = readdir(open_folder))) {
        const size_t distance = suggest->distance;
        suggest_offer(suggest, entry->d_name);
        if (suggest->distance == distance) continue;
        char path[8192];
        const int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof path || program_check(path) != 0) {
            suggest->distance = distance;
        } else {
            strcpy(best, entry->d_name);
        }
        suggest->best = best;
    }
    closedir(open_folder);
}

// Among thousands of programs one is always somewhat near: this demands more than suggest_offer.
static bool is_near(const struct suggest *suggest)
{
    return suggest->distance <= 1 + strlen(suggest->asked) / 6;
}

bool program_suggest(const char *name, char *suggestion, size_t size)
{
    char best[256] = "";
    char folder[4096];
    const char *slash = strrchr(name, '/');
    if (slash) {
        const int len = (int)(slash - name);
        if (snprintf(folder, sizeof folder, "%.*s/", len, name) >= (int)sizeof folder) return false;
        struct suggest suggest = suggest_for(slash + 1);
        suggest_in(&suggest, folder, best);
        return best[0] && is_near(&suggest) &&
               (size_t)snprintf(suggestion, size, "%.*s/%s", len, name, best) < size;
    }
    char here[4096];
    if ((size_t)snprintf(here, sizeof here, "./%s", name) < sizeof here &&
        program_check(here) == 0) { // it lies here, but nobody looks here
        return (size_t)snprintf(suggestion, size, "%s", here) < size;
    }
    struct suggest suggest = suggest_for(name);
    for (const char *at = search_path();;) {
        const size_t len = strcspn(at, ":");
        if (len > 0 && len < sizeof folder) {
            (void)snprintf(folder, sizeof folder, "%.*s", (int)len, at);
            suggest_in(&suggest, folder, best);
        }
        at += len;
        if (*at++ == '\0') break;
    }
    return best[0] && is_near(&suggest) && (size_t)snprintf(suggestion, size, "%s", best) < size;
}
