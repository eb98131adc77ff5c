#include "report/package.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A system with 3,000 packages has 30 MB of lists; the largest few have some MB each. Guesses: what
// is far larger is not worth the wait.
enum {
    LISTS_MAX = 20000,
    LIST_SIZE_MAX = 8 << 20,
    BYTES_MAX = 64 << 20,
};

// What a list is searched for: a line that is this, perhaps behind "/usr": a system whose /lib is a
// link to /usr/lib has packages that name either.
struct wanted {
    char line[PATH_MAX + 2];
    size_t len;
    bool is_below_usr;
    bool is_merged; // either way will do
    // What its package's name may have in it: the file's name begins with the first ("libperl"),
    // and its folder's name is the second ("12" of cpp-12).
    char words[2][NAME_MAX + 1];
};

struct list {
    char *bytes;
    size_t room;
    size_t size;
};

static bool wanted_init(struct wanted *self, const char *file)
{
    static const char *const merged[] = {"/bin/", "/sbin/", "/lib/", "/lib64/", "/lib32/"};
    self->is_below_usr = strncmp(file, "/usr/", 5) == 0;
    if (self->is_below_usr) file += 4;
    self->is_merged = false;
    for (size_t i = 0; i < sizeof merged / sizeof *merged; i++) {
        self->is_merged |= strncmp(file, merged[i], strlen(merged[i])) == 0;
    }
    const int len = snprintf(self->line, sizeof self->line, "%s\n", file);
    self->len = (size_t)len;
    return len > 1 && self->len < sizeof self->line && *file == '/' &&
           strchr(file, '\n') == NULL; // no list can name such a one
}

static void words_init(struct wanted *self, const char *file)
{
    const char *name = strrchr(file, '/') + 1;
    const char *folder = name - 1;
    while (folder > file && folder[-1] != '/') folder--;
    const size_t lens[] = {strcspn(name, "0123456789-_."), (size_t)(name - folder) - 1};
    const char *const starts[] = {name, folder};
    for (size_t i = 0; i < 2; i++) {
        const size_t len = lens[i] < sizeof self->words[i] ? lens[i] : 0;
        memcpy(self->words[i], starts[i], len);
        self->words[i][len] = '\0';
    }
}

// Whether a package's name sounds as if it were that: a guess that saves reading all lists.
static bool is_likely(const struct wanted *wanted, const char *entry)
{
    for (size_t i = 0; i < 2; i++) {
        if (strlen(wanted->words[i]) > 1 && strstr(entry, wanted->words[i])) return true;
    }
    return false;
}

static bool list_read(struct list *self, int folder, const char *name)
{
    struct stat file;
    const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return false;
    self->size = 0;
    bool is_fine = fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size <= LIST_SIZE_MAX;
    const size_t want = is_fine ? (size_t)file.st_size : 0;
    if (want > self->room) {
        char *larger = realloc(self->bytes, want);
        is_fine = larger != NULL;
        if (larger) {
            self->bytes = larger;
            self->room = want;
        }
    }
    while (is_fine && self->size < want) {
        const ssize_t count = read(fd, self->bytes + self->size, want - self->size);
        if (count <= 0) break;
        self->size += (size_t)count;
    }
    close(fd);
    return is_fine && self->size > 0;
}

static bool list_has(const struct list *self, const struct wanted *wanted)
{
    const char *end = self->bytes + self->size;
    for (const char *at = self->bytes;; at++) {
        at = memmem(at, (size_t)(end - at), wanted->line, wanted->len);
        if (!at) return false;
        const size_t before = (size_t)(at - self->bytes);
        const bool begins = before == 0 || at[-1] == '\n';
        const bool is_below =
            before >= 4 && memcmp(at - 4, "/usr", 4) == 0 && (before == 4 || at[-5] == '\n');
        if (begins && (wanted->is_merged || !wanted->is_below_usr)) return true;
        if (is_below && (wanted->is_merged || wanted->is_below_usr)) return true;
    }
}

// "libc6:amd64.list" is of libc6. 0 for what is no list, or has a name too long.
static size_t name_len(const char *entry)
{
    const size_t len = strlen(entry);
    if (len < 6 || strcmp(entry + len - 5, ".list") != 0) return 0;
    const size_t name = strcspn(entry, ":");
    const size_t end = name < len - 5 ? name : len - 5;
    return end < PACKAGE_NAME_SIZE ? end : 0;
}

struct search {
    DIR *folder;
    struct wanted wanted;
    struct list list;
    size_t count;
    size_t bytes;
};

// Looks through the lists that are likely, or through the others.
static bool search(struct search *self, bool likely, char name[static PACKAGE_NAME_SIZE])
{
    rewinddir(self->folder);
    for (const struct dirent *entry; (entry = readdir(self->folder));) {
        const size_t len = name_len(entry->d_name);
        if (len == 0 || is_likely(&self->wanted, entry->d_name) != likely) continue;
        if (self->count++ >= LISTS_MAX || self->bytes >= BYTES_MAX) return false;
        if (!list_read(&self->list, dirfd(self->folder), entry->d_name)) continue;
        self->bytes += self->list.size;
        if (!list_has(&self->list, &self->wanted)) continue;
        memcpy(name, entry->d_name, len);
        name[len] = '\0';
        return true;
    }
    return false;
}

bool package_find(const char *lists, const char *file, char name[static PACKAGE_NAME_SIZE])
{
    struct search *self = calloc(1, sizeof *self);
    if (!self) return false;
    const bool is_named = wanted_init(&self->wanted, file);
    self->folder = is_named ? opendir(lists) : NULL;
    bool is_found = false;
    if (self->folder) {
        words_init(&self->wanted, file);
        is_found = search(self, true, name) || search(self, false, name);
        closedir(self->folder);
    }
    free(self->list.bytes);
    free(self);
    return is_found;
}

void package_of_symbols(const char *package, char *name, size_t size)
{
    // Debian builds -dbgsym packages by itself, but not where a source names one of its own.
    if (strcmp(package, "libc6") == 0) {
        (void)snprintf(name, size, "libc6-dbg");
        return;
    }
    const char *python = strncmp(package, "lib", 3) == 0 ? package + 3 : package;
    if (strncmp(python, "python3.", 8) == 0 && isdigit((unsigned char)python[8])) {
        const int version = (int)(8 + strspn(python + 8, "0123456789"));
        const char *rest = python + version;
        if (!*rest || strcmp(rest, "-minimal") == 0 || strcmp(rest, "-stdlib") == 0) {
            (void)snprintf(name, size, "%.*s-dbg", version, python);
            return;
        }
    }
    (void)snprintf(name, size, "%s-dbgsym", package);
}
