// Resolver: one module's files opened, all its offsets resolved, everything closed again.
// It reads what nobody vouches for, with libraries that may crash on it: symbols.c runs it in a
// process of its own. Names are told as they are found, compilation unit by compilation unit, so
// that what comes before a crash is not lost.
#pragma once

#include "symbols/symbols.h"

// Whom the resolver tells. Strings and lines are borrowed for the call. 0, or -errno to stop.
struct resolver_listener {
    void *context;
    // More than once; the last one counts. `end` is not the resolver's to say.
    int (*know)(void *context, const struct symbols_knowledge *knowledge);
    int (*name)(void *context, size_t index, const struct symbols_line *lines, size_t count);
    // How long servers were waited for.
    int (*waited)(void *context, int64_t milliseconds);
};

struct resolver_request {
    const struct symbols_options *options;
    const struct symbols_module *module;
    const uint64_t *offsets;
    const bool *is_done; // offsets that are not asked for any more
    size_t count;
    int64_t debuginfod_milliseconds_left;
    bool no_dwarf; // symbol tables only
};

// 0, -ENOMEM, or what the listener said. Offsets without a name are not told.
int resolver_run(const struct resolver_request *request, const struct resolver_listener *listener);
