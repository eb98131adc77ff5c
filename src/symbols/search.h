// Search: where the files of a module are. The file itself by its path, its separate debug file and
// that one's supplement (dwz) by build-id, by .gnu_debuglink or .gnu_debugaltlink, and both from
// debuginfod where all else fails. What is found is verified: by build-id, or by checksum.
#pragma once

#include "symbols/debuginfod.h"
#include "symbols/elf_file.h"
#include "symbols/symbols.h"

struct search {
    const struct symbols_options *options;
    const struct symbols_module *module;
    struct debuginfod debuginfod;
};

// `debuginfod_milliseconds` is how long servers may be waited for, 0 for no questions to them.
void search_init(struct search *self, const struct symbols_options *options,
                 const struct symbols_module *module, int64_t debuginfod_milliseconds);
void search_deinit(struct search *self);

// The module's file, or what stands in for it: its debug file, or a server's copy. `out` stays
// closed when there is none. Says what stood at the path, and with which error if it is missing.
// 0 or -ENOMEM.
int search_main(struct search *self, struct elf_file *out, enum symbols_file *file_out,
                int *error_out);

// The separate debug file of `main_file`, and the supplement of a debug file by the name and the
// build-id in it; `out` stays closed when there is none. 0 or -ENOMEM.
int search_debug(struct search *self, const struct elf_file *main_file, struct elf_file *out);
int search_supplement(struct search *self, const struct elf_file *debug_file, const char *name,
                      const uint8_t *id, size_t id_size, struct elf_file *out);
