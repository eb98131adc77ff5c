#include "cli/observable.h"

#include "cli/elf_facts.h"
#include "cli/program_find.h"
#include "os/shared_file.h"
#include "record/writer.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    HOPS_MAX = 8,    // from script to script to program; the kernel follows five
    HEAD_SIZE = 256, // of a script that the kernel reads for '#!'
    WORDS_MAX = 64,  // of a '#!' line
};

#define MEND_WRAPPER "put 'mete run' behind it"

__attribute__((format(printf, 2, 3))) static void words(char text[256], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, 256, format, arguments);
    va_end(arguments);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void foreign(struct obstacle *self, const struct elf_facts *facts)
{
    *self = (struct obstacle){.kind = OBSTACLE_ALL, .forbids_preload = true};
    const bool is_x86 = facts->machine == EM_386 || facts->machine == EM_X86_64;
    if (facts->is_32_bit && is_x86) {
        words(self->reason, "is a 32-bit program, and mete a 64-bit one");
        words(self->mend, "build it for x86-64");
        return;
    }
    words(self->reason, "is for another machine (ELF machine %u), and mete for x86-64",
          (unsigned)facts->machine);
    words(self->mend, "build it for x86-64");
}

static void other_libc(struct obstacle *self, const struct elf_facts *facts)
{
    *self = (struct obstacle){.kind = OBSTACLE_ALL, .forbids_preload = true};
    const char *libc = strstr(facts->loader, "ld-musl") ? "musl" : "another C library";
    words(self->reason, "runs on %s (its loader is %.100s), and mete on glibc", libc,
          facts->loader);
    words(self->mend, "build it for glibc");
}

static void cut_off(struct obstacle *self)
{
    *self = (struct obstacle){.kind = OBSTACLE_ALL, .forbids_preload = true};
    words(self->reason, "is not a whole ELF file: it ends before what its header names");
    words(self->mend, "build or copy it again");
}

static void unlinked(struct obstacle *self, const struct elf_facts *facts)
{
    *self = (struct obstacle){.kind = OBSTACLE_ALL};
    if (facts->is_go) {
        words(self->reason, "is a Go program without C: Go allots its memory itself");
        words(self->mend, "Go's own profiler knows it (go tool pprof)");
        return;
    }
    words(self->reason, "is linked statically: nothing can be preloaded into it");
    words(self->mend, "link it without -static");
}

static void sanitized(struct obstacle *self, const char *sanitizer)
{
    *self = (struct obstacle){.kind = OBSTACLE_ALL, .forbids_preload = true};
    words(self->reason, "is built with %s, which has a malloc of its own", sanitizer);
    words(self->mend, "build it without -fsanitize");
}

static void allocator_inside(struct obstacle *self, const struct elf_facts *facts)
{
    if (facts->exports_malloc && facts->allocator) {
        self->kind = OBSTACLE_ALL;
        words(self->reason, "has %s linked in, and so never calls another malloc",
              facts->allocator);
        words(self->mend, "link it without, or with %s as a shared library", facts->allocator);
    } else if (facts->exports_malloc) {
        self->kind = OBSTACLE_PART;
        words(self->reason, "has a malloc of its own: what that does not pass on is not seen");
        words(self->mend, "build it without");
    } else if (facts->allocator) {
        self->kind = OBSTACLE_PART;
        words(self->reason, "has %s linked in under names of its own: what that allots is not seen",
              facts->allocator);
        words(self->mend, "build it with libc's malloc");
    } else if (facts->allocator_library && facts->is_cxx) {
        self->kind = OBSTACLE_PART;
        words(self->reason, "takes 'operator new' from %s: what that allots is not seen",
              facts->allocator_library);
        words(self->mend, "link it without");
    } else if (facts->is_go) {
        self->kind = OBSTACLE_PART;
        words(self->reason, "is a Go program: only the memory of its C code is seen");
        words(self->mend, "Go's own profiler knows the rest (go tool pprof)");
    }
}

static void look_at_facts(struct obstacle *self, const struct elf_facts *facts)
{
    if (facts->kind == ELF_NONE || facts->is_loader) return;
    if (facts->kind == ELF_FOREIGN) {
        foreign(self, facts);
    } else if (facts->is_cut_off) {
        cut_off(self);
    } else if (!facts->has_loader) {
        unlinked(self, facts);
    } else if (strncmp(base_name(facts->loader), "ld-linux-x86-64.so", 18) != 0) {
        other_libc(self, facts);
    } else if (facts->sanitizer) {
        sanitized(self, facts->sanitizer);
    } else {
        allocator_inside(self, facts);
    }
}

// Programs that run with more rights than we have are closed to those who start them: their loader
// takes nothing from the environment. So the kernel decides (AT_SECURE).
static void look_at_rights(struct obstacle *self, const char *path, const struct stat *file)
{
    struct statvfs system;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return; // it will get none
    if (statvfs(path, &system) == 0 && (system.f_flag & ST_NOSUID)) return;
    const char *kind = NULL;
    const bool has_setgid = (file->st_mode & S_ISGID) && (file->st_mode & S_IXGRP);
    if (has_setgid && file->st_gid != getgid()) kind = "setgid";
    if ((file->st_mode & S_ISUID) && file->st_uid != getuid()) kind = "setuid";
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0) {
        kind = "given capabilities";
    }
    if (!kind) return;
    self->kind = OBSTACLE_ALL;
    words(self->reason, "is %s: its loader preloads nothing that others name", kind);
    words(self->mend, "run mete as the user it becomes, or " MEND_WRAPPER " if it runs a command");
}

// Programs that give what they start an environment of their own, whoever calls them.
static void look_at_wrapper(struct obstacle *self, const char *path)
{
    static const char *const names[] = {"sudo", "su", "doas", "pkexec"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(base_name(path), names[i]) != 0) continue;
        self->kind = OBSTACLE_PART;
        words(self->reason, "starts programs with an environment of its own");
        words(self->mend, MEND_WRAPPER);
    }
}

// --- through scripts and env to the program that will run

struct route {
    char path[PATH_MAX];  // the file that is looked at now
    char head[HEAD_SIZE]; // how it begins; ends with a 0
    char line[HEAD_SIZE]; // the '#!' line that is followed, in pieces
    char *line_words[WORDS_MAX];
    char **words; // the command from this file on
};

// Cuts a line at its blanks into route->line_words.
static void route_split(struct route *self, char *line, size_t limit)
{
    size_t count = 0;
    for (char *at = line + strspn(line, " \t"); *at && count < WORDS_MAX - 1;) {
        self->line_words[count++] = at;
        if (count == limit) break; // the rest is one word
        at += strcspn(at, " \t");
        if (*at) *at++ = '\0';
        at += strspn(at, " \t");
    }
    self->line_words[count] = NULL;
    self->words = self->line_words;
}

// Goes on from a script to its interpreter; false when it is none.
static bool route_follow_script(struct route *self)
{
    if (strncmp(self->head, "#!", 2) != 0) return false;
    memcpy(self->line, self->head, sizeof self->line);
    char *line = self->line + 2;
    line[strcspn(line, "\n")] = '\0';
    route_split(self, line, 2);
    return self->words[0] != NULL;
}

// Goes on from env to what it runs; false when that is nothing. *clears_out: in an environment
// without our words.
static bool route_follow_env(struct route *self, bool *clears_out)
{
    for (size_t i = 1; self->words[i]; i++) {
        char *word = self->words[i];
        if (strncmp(word, "-S", 2) == 0) { // the kernel hands on the rest of a line as one word
            char *rest = word[2] ? word + 2 : self->words[i + 1];
            if (!rest || self->words != self->line_words) return false;
            route_split(self, rest, WORDS_MAX);
            i = (size_t)-1; // the first of the new words is next
            continue;
        }
        if (strcmp(word, "-") == 0 || strcmp(word, "-i") == 0 ||
            strcmp(word, "--ignore-environment") == 0) {
            *clears_out = true;
        } else if (strcmp(word, "-u") == 0 || strcmp(word, "-C") == 0) {
            if (!self->words[++i]) return false;
        } else if (word[0] != '-' && !strchr(word, '=')) {
            self->words += i;
            return true;
        }
    }
    return false;
}

static void look_at_file(struct obstacle *self, struct route *route)
{
    struct stat file;
    const int fd = open(route->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        if (errno != EACCES) return;
        self->kind = OBSTACLE_PART;
        words(self->reason, "cannot be read, so that nobody knows whether it can be looked at");
        words(self->mend, "make it readable");
        return;
    }
    struct byte_source source;
    if (byte_source_of_file(&source, fd) == 0 && fstat(fd, &file) == 0) {
        const size_t len = source.size < HEAD_SIZE - 1 ? (size_t)source.size : HEAD_SIZE - 1;
        (void)byte_source_read(&source, 0, route->head, len);
        const struct elf_facts facts = elf_facts_read(&source);
        look_at_facts(self, &facts);
        if (facts.kind != ELF_NONE && self->kind != OBSTACLE_ALL) {
            look_at_rights(self, route->path, &file);
        }
        if (self->kind == OBSTACLE_NONE) look_at_wrapper(self, route->path);
    }
    close(fd);
}

struct obstacle observable_look(char **command)
{
    struct obstacle self = {.kind = OBSTACLE_NONE};
    struct route *route = calloc(1, sizeof *route);
    if (!route) return self;
    route->words = command;
    for (int hop = 0; hop < HOPS_MAX && self.kind == OBSTACLE_NONE; hop++) {
        if (program_find(route->words[0], route->path, sizeof route->path) != 0) break;
        memset(route->head, 0, sizeof route->head);
        look_at_file(&self, route);
        if (self.kind != OBSTACLE_NONE) break;
        if (route_follow_script(route)) continue;
        bool clears = false;
        if (strcmp(base_name(route->path), "env") != 0 || !route_follow_env(route, &clears)) break;
        if (!clears) continue;
        self.kind = OBSTACLE_PART;
        words(self.reason, "empties the environment: what it starts is not seen");
        words(self.mend, MEND_WRAPPER);
    }
    if (self.kind != OBSTACLE_NONE) {
        (void)snprintf(self.subject, sizeof self.subject, "%.*s", (int)sizeof self.subject - 1,
                       route->path);
    }
    free(route);
    return self;
}

struct obstacle observable_object(const char *path)
{
    struct obstacle self = {.kind = OBSTACLE_NONE, .forbids_preload = true};
    const char *given = getenv("LD_PRELOAD");
    struct statvfs system;
    if (statvfs(path, &system) == 0 && (system.f_flag & ST_NOEXEC)) {
        self.kind = OBSTACLE_ALL;
        (void)snprintf(self.subject, sizeof self.subject, "%.*s", (int)sizeof self.subject - 1,
                       path);
        words(self.reason, "lies on a file system mounted noexec: it cannot be preloaded");
        words(self.mend, "install mete elsewhere");
    } else if (given && (strstr(given, "libasan.so") || strstr(given, "libtsan.so") ||
                         strstr(given, "liblsan.so") || strstr(given, "libclang_rt."))) {
        self.kind = OBSTACLE_ALL;
        words(self.subject, "LD_PRELOAD");
        words(self.reason, "names a sanitizer, which has a malloc of its own");
        words(self.mend, "take it out");
    }
    return self;
}

// Private memory, used or not, that our tables and the first blocks of a heap take: 16 MiB,
// measured.
static const rlim_t data_size_min = 20U << 20;

struct obstacle observable_limits(const char *program)
{
    struct obstacle self = {.kind = OBSTACLE_NONE, .forbids_preload = true};
    const struct shared_file_limit limit = shared_file_limit();
    const size_t least = record_writer_size_min();
    struct rlimit data = {RLIM_INFINITY, RLIM_INFINITY};
    (void)getrlimit(RLIMIT_DATA, &data); // cannot fail
    if (limit.size >= least && data.rlim_cur >= data_size_min) return self;
    const bool is_of_files = limit.error == -EFBIG;
    self.kind = OBSTACLE_ALL;
    (void)snprintf(self.subject, sizeof self.subject, "%.*s", (int)sizeof self.subject - 1,
                   program);
    if (limit.size >= least) {
        words(self.reason, "may have %llu KiB of data, and observed needs %llu KiB",
              (unsigned long long)data.rlim_cur / 1024, (unsigned long long)data_size_min / 1024);
        words(self.mend, "raise 'ulimit -d'");
        return self;
    }
    (void)snprintf(self.reason, sizeof self.reason,
                   "may make files of %zu KiB%s, and a recording needs %zu KiB", limit.size / 1024,
                   is_of_files ? "" : " in an eighth of its address space", least / 1024);
    words(self.mend, "raise 'ulimit -%c'", is_of_files ? 'f' : 'v');
    return self;
}

const char *observable_absence(int status)
{
    if (WIFSIGNALED(status)) return "it was killed before it allocated anything";
    return "it allocated nothing, or something emptied its environment (LD_PRELOAD, METE), such as "
           "'env -i' or sudo, made it another user's (setpriv), or took it to another root, as "
           "chroot does: put 'mete run' behind that";
}
