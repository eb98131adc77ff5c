// Asks the room symbols and prints what it says: what tests in Python and people use.
//   query [--root=DIR] [--debug=DIR]… [--build-id=HEX] [--no-debuginfod] [--seconds=N]
//         [--module-seconds=N] [--in-process] [--time] FILE [OFFSET]…
// The first line is what is known of the module; then, for each offset (hexadecimal), its lines,
// innermost first: "OFFSET FUNCTION at FILE:LINE", with "(inlined)" after those that are. With "-"
// offsets come from standard input. FILE with a build-id of its own is asked for with that one.
#include "symbols/elf_file.h"
#include "symbols/symbols.h"

#include <elfutils/libdwelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FOLDERS_MAX = 8, ID_MAX = 64 };

static const char *const files[] = {
    "unseen", "found", "unverified", "missing", "differs", "bad", "none",
};
static const char *const sources[] = {"nothing", "exported", "table", "dwarf"};
static const char *const ends[] = {"complete", "crashed", "late", "failed"};

struct question {
    struct symbols_options options;
    const char *folders[FOLDERS_MAX];
    uint8_t id[ID_MAX];
    size_t id_size;
    bool has_id;
    bool is_timed;
    const char *path;
    uint64_t *offsets;
    size_t count;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "query: %s\n", what);
    exit(2);
}

static void read_id(struct question *self, const char *text)
{
    self->has_id = true;
    for (; text[0] && text[1] && self->id_size < ID_MAX; text += 2) {
        char byte[3] = {text[0], text[1], '\0'};
        self->id[self->id_size++] = (uint8_t)strtoul(byte, NULL, 16);
    }
}

static bool read_option(struct question *self, const char *word)
{
    struct symbols_options *options = &self->options;
    if (strncmp(word, "--root=", 7) == 0) {
        options->root = word + 7;
    } else if (strncmp(word, "--debug=", 8) == 0 && options->debug_folder_count < FOLDERS_MAX) {
        self->folders[options->debug_folder_count++] = word + 8;
    } else if (strncmp(word, "--build-id=", 11) == 0) {
        read_id(self, word + 11);
    } else if (strcmp(word, "--no-debuginfod") == 0) {
        options->no_debuginfod = true;
    } else if (strncmp(word, "--seconds=", 10) == 0) {
        options->debuginfod_seconds_max = (unsigned)strtoul(word + 10, NULL, 10);
    } else if (strncmp(word, "--module-seconds=", 17) == 0) {
        options->module_seconds_max = (unsigned)strtoul(word + 17, NULL, 10);
    } else if (strcmp(word, "--in-process") == 0) {
        options->in_process = true;
    } else if (strcmp(word, "--time") == 0) {
        self->is_timed = true;
    } else {
        return false;
    }
    return true;
}

static void add_offset(struct question *self, const char *text)
{
    self->offsets = realloc(self->offsets, (self->count + 1) * sizeof *self->offsets);
    if (!self->offsets) fail("no memory");
    self->offsets[self->count++] = strtoull(text, NULL, 16);
}

static void read_offsets(struct question *self, char **words, int count)
{
    for (int i = 0; i < count; i++) {
        char line[64];
        if (strcmp(words[i], "-") != 0) {
            add_offset(self, words[i]);
            continue;
        }
        while (fgets(line, sizeof line, stdin)) add_offset(self, line);
    }
}

// The recorder knows the build-id of what it saw.
static void take_own_id(struct question *self)
{
    struct elf_file file;
    const void *id;
    if (elf_file_open(self->path, -1, &file) != 0) return;
    ssize_t size = dwelf_elf_gnu_build_id(file.elf, &id);
    if (size > 0 && size <= ID_MAX) {
        memcpy(self->id, id, (size_t)size);
        self->id_size = (size_t)size;
    }
    elf_file_close(&file);
}

static void print(const struct question *self, const struct symbols_knowledge *known,
                  const struct symbols_name *names)
{
    printf("file=%s source=%s end=%s error=%d main=%s debug=%s\n", files[known->file],
           sources[known->source], ends[known->end], known->error, known->main_path,
           known->debug_path);
    for (size_t i = 0; i < self->count; i++) {
        if (names[i].count == 0) printf("%llx ?\n", (unsigned long long)self->offsets[i]);
        for (size_t j = 0; j < names[i].count; j++) {
            const struct symbols_line *line = &names[i].lines[j];
            printf("%llx %s at %s:%u%s\n", (unsigned long long)self->offsets[i], line->function,
                   line->file, line->line, line->is_inlined ? " (inlined)" : "");
        }
    }
}

static void ask(struct question *self)
{
    struct symbols *symbols = symbols_create(&self->options);
    struct symbols_name *names = calloc(self->count + 1, sizeof *names);
    if (!symbols || !names) fail("no memory");
    struct symbols_module module = {
        .path = self->path,
        .build_id = self->id,
        .build_id_size = self->id_size,
    };
    size_t index;
    int error = symbols_add_module(symbols, &module, &index);
    struct timespec before;
    struct timespec after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (error == 0) error = symbols_resolve(symbols, index, self->offsets, self->count, names);
    clock_gettime(CLOCK_MONOTONIC, &after);
    if (error) fail(strerror(-error));
    print(self, symbols_knowledge(symbols, index), names);
    if (self->is_timed) {
        fprintf(stderr, "%.3f s\n",
                (double)(after.tv_sec - before.tv_sec) +
                    (double)(after.tv_nsec - before.tv_nsec) / 1e9);
    }
    free(names);
    symbols_destroy(symbols);
}

int main(int argc, char **argv)
{
    struct question question = {.is_timed = false};
    question.options.debug_folders = question.folders;
    int at = 1;
    while (at < argc && read_option(&question, argv[at])) at++;
    if (at == argc) fail("no file named");
    question.path = argv[at++];
    if (!question.has_id) take_own_id(&question);
    read_offsets(&question, argv + at, argc - at);
    ask(&question);
    free(question.offsets);
    return 0;
}
