// Frame names: what the frames of recordings are called. The processes of a run share most of their
// code, so that names that were found once are kept: the files of a module are read again only for
// offsets that no recording had before. Without a build-id a path says little, and nothing is kept.
// Not thread-safe. Belongs to the command line.
#pragma once

#include "symbols/symbols.h"

#include <stddef.h>
#include <stdint.h>

struct frame_names;

struct frame_names *frame_names_create(void); // NULL for want of memory
void frame_names_destroy(struct frame_names *self);

// The names of `count` offsets of a module, as symbols_resolve() gives them; borrowed until
// destroy. 0 or -errno.
int frame_names_find(struct frame_names *self, const struct symbols_module *module,
                     const uint64_t *offsets, size_t count, struct symbols_name *names_out);
