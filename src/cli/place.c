#include "cli/place.h"

#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The path with its links resolved when something readable lies there, or NULL.
__attribute__((format(printf, 1, 2))) static char *readable(const char *format, ...)
{
    char *path = NULL;
    va_list arguments;
    va_start(arguments, format);
    int len = vasprintf(&path, format, arguments);
    va_end(arguments);
    if (len < 0) return NULL;
    char *real = realpath(path, NULL);
    free(path);
    if (real && access(real, R_OK) != 0) {
        free(real);
        real = NULL;
    }
    return real;
}

char *place_find(const char *object)
{
    char *folder = realpath("/proc/self/exe", NULL);
    if (!folder) {
        say("cannot tell where mete itself lies: %s; mount /proc", strerror(errno));
        return NULL;
    }
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';

    char *path = readable("%s/%s", folder, object);
    // An installed tree may have been moved as a whole, so the way from here counts first.
    if (!path) path = readable("%s/../%s/%s", folder, METE_LIBDIR_FROM_PREFIX, object);
    if (!path) path = readable("%s/%s", METE_LIBDIR, object);
    if (!path) say("cannot find %s, neither in %s nor in %s", object, folder, METE_LIBDIR);
    free(folder);
    return path;
}
