#include "symbols/search.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_SIZE_MAX = 64 };

static const char standard_folder[] = "/usr/lib/debug";

void search_init(struct search *self, const struct symbols_options *options,
                 const struct symbols_module *module, int64_t debuginfod_milliseconds)
{
    self->options = options;
    self->module = module;
    debuginfod_init(&self->debuginfod, debuginfod_milliseconds);
}

void search_deinit(struct search *self)
{
    debuginfod_deinit(&self->debuginfod);
}

static const char *root(const struct search *self)
{
    return self->options->root ? self->options->root : "";
}

// Opens the file of that path, or closes it again when it is another one. 0 also when there is
// none.
static int open_with_id(const char *path, int fd, const uint8_t *id, size_t size,
                        struct elf_file *out)
{
    struct elf_file file;
    int error = elf_file_open(path, fd, &file);
    if (error) return error == -ENOMEM ? error : 0;
    if (elf_file_has_build_id(&file, id, size)) {
        *out = file;
    } else {
        elf_file_close(&file);
    }
    return 0;
}

static int open_with_checksum(const char *path, uint32_t checksum, struct elf_file *out)
{
    struct elf_file file;
    int error = elf_file_open(path, -1, &file);
    if (error) return error == -ENOMEM ? error : 0;
    uint32_t found;
    error = elf_file_checksum(&file, &found);
    if (error == 0 && found == checksum) {
        *out = file;
        return 0;
    }
    elf_file_close(&file);
    return error == -ENOMEM ? error : 0;
}

// The debug folder of that number: those of the options, then the standard one. NULL: no more.
// 0 or -ENOMEM.
static int debug_folder(const struct search *self, size_t i, char **path_out)
{
    const struct symbols_options *options = self->options;
    *path_out = NULL;
    if (i > options->debug_folder_count) return 0;
    int len;
    if (i < options->debug_folder_count) {
        len = asprintf(path_out, "%s", options->debug_folders[i]);
    } else {
        len = asprintf(path_out, "%s%s", root(self), standard_folder);
    }
    return len < 0 ? -ENOMEM : 0;
}

// FOLDER/.build-id/xx/yyyy.debug; the text needs ID_SIZE_MAX * 2 + 2 bytes.
static void id_text(const uint8_t *id, size_t size, char *text)
{
    for (size_t i = 0; i < size; i++) {
        text += sprintf(text, i == 0 ? "%02x/" : "%02x", id[i]);
    }
}

static int find_by_id(struct search *self, const uint8_t *id, size_t size, struct elf_file *out)
{
    if (size < 2 || size > ID_SIZE_MAX) return 0;
    char text[ID_SIZE_MAX * 2 + 2];
    id_text(id, size, text);
    for (size_t i = 0; out->fd < 0; i++) {
        char *folder;
        char *path;
        if (debug_folder(self, i, &folder) < 0) return -ENOMEM;
        if (!folder) break;
        int len = asprintf(&path, "%s/.build-id/%s.debug", folder, text);
        free(folder);
        if (len < 0) return -ENOMEM;
        int error = open_with_id(path, -1, id, size, out);
        free(path);
        if (error) return error;
    }
    return 0;
}

// What a server has. It may have anything.
static int find_remote(struct search *self, const uint8_t *id, size_t size, struct elf_file *out)
{
    char *path;
    int fd = debuginfod_debuginfo(&self->debuginfod, id, size, &path);
    if (fd < 0) return 0;
    int error = open_with_id(path, fd, id, size, out);
    free(path);
    return error;
}

static int find_remote_executable(struct search *self, const uint8_t *id, size_t size,
                                  struct elf_file *out)
{
    char *path;
    int fd = debuginfod_executable(&self->debuginfod, id, size, &path);
    if (fd < 0) return 0;
    int error = open_with_id(path, fd, id, size, out);
    free(path);
    return error;
}

int search_main(struct search *self, struct elf_file *out, enum symbols_file *file_out,
                int *error_out)
{
    const struct symbols_module *module = self->module;
    *out = ELF_FILE_CLOSED;
    *error_out = 0;
    *file_out = SYMBOLS_FILE_NONE;
    if (module->path[0] != '/') return 0;
    char *path;
    if (asprintf(&path, "%s%s", root(self), module->path) < 0) return -ENOMEM;
    int error = elf_file_open(path, -1, out);
    free(path);
    if (error == -ENOMEM) return error;
    const uint8_t *id = module->build_id;
    size_t size = module->build_id_size;
    if (error == 0 && size == 0) {
        *file_out = SYMBOLS_FILE_UNVERIFIED;
        return 0;
    }
    if (error == 0 && elf_file_has_build_id(out, id, size)) {
        *file_out = SYMBOLS_FILE_FOUND;
        return 0;
    }
    if (error == 0) {
        *file_out = SYMBOLS_FILE_DIFFERS;
        elf_file_close(out);
    } else {
        *file_out = error == -ENOEXEC ? SYMBOLS_FILE_BAD : SYMBOLS_FILE_MISSING;
        *error_out = -error;
    }
    if (size == 0) return 0;
    error = find_by_id(self, id, size, out);
    if (error || out->fd >= 0) return error;
    error = find_remote(self, id, size, out);
    if (error || out->fd >= 0) return error;
    return find_remote_executable(self, id, size, out);
}

// The folder of a path, with its slash; "" when there is none.
static int folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash + 1 - path) : 0;
}

static int try_link(const char *folder, int len, const char *between, const char *name,
                    uint32_t checksum, struct elf_file *out)
{
    char *path;
    if (asprintf(&path, "%.*s%s%s", len, folder, between, name) < 0) return -ENOMEM;
    int error = open_with_checksum(path, checksum, out);
    free(path);
    return error;
}

// By .gnu_debuglink: beside the file, in .debug there, below each debug folder.
static int find_by_link(struct search *self, const struct elf_file *main_file, struct elf_file *out)
{
    GElf_Word checksum;
    const char *name = dwelf_elf_gnu_debuglink(main_file->elf, &checksum);
    if (!name || !*name || strchr(name, '/')) return 0;
    const char *own = main_file->path;
    int len = folder_len(own);
    int error = try_link(own, len, "", name, checksum, out);
    if (error || out->fd >= 0) return error;
    error = try_link(own, len, ".debug/", name, checksum, out);
    // Below a debug folder, paths begin behind the root.
    const char *path = self->module->path;
    for (size_t i = 0; error == 0 && out->fd < 0; i++) {
        char *folder;
        if (debug_folder(self, i, &folder) < 0) return -ENOMEM;
        if (!folder) break;
        char *below;
        int made = asprintf(&below, "%s%.*s", folder, folder_len(path), path);
        free(folder);
        if (made < 0) return -ENOMEM;
        error = try_link(below, made, "", name, checksum, out);
        free(below);
    }
    return error;
}

int search_debug(struct search *self, const struct elf_file *main_file, struct elf_file *out)
{
    *out = ELF_FILE_CLOSED;
    const void *found;
    ssize_t found_size = dwelf_elf_gnu_build_id(main_file->elf, &found);
    const uint8_t *id = found;
    size_t size = found_size > 0 ? (size_t)found_size : 0;
    int error = find_by_id(self, id, size, out);
    if (error == 0 && out->fd < 0) error = find_by_link(self, main_file, out);
    if (error || out->fd >= 0) return error;
    return find_remote(self, id, size, out);
}

int search_supplement(struct search *self, const struct elf_file *debug_file, const char *name,
                      const uint8_t *id, size_t id_size, struct elf_file *out)
{
    *out = ELF_FILE_CLOSED;
    int error = find_by_id(self, id, id_size, out);
    if (error || out->fd >= 0) return error;
    const char *own = debug_file->path;
    char *path;
    int len = name[0] == '/' ? asprintf(&path, "%s%s", root(self), name)
                             : asprintf(&path, "%.*s%s", folder_len(own), own, name);
    if (len < 0) return -ENOMEM;
    error = open_with_id(path, -1, id, id_size, out);
    free(path);
    if (error || out->fd >= 0) return error;
    return find_remote(self, id, id_size, out);
}
