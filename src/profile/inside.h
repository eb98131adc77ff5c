// Inside: the steps in which a profile is made, in this order. For the profile room alone. Each
// returns false for want of memory.
#pragma once

#include "profile/profile.h"
#include "profile/strings.h"
#include "record/reader.h"

struct profile_places {
    struct strings strings;
    const struct record_row **rows; // the recording's, by site: NULL where nothing was counted
    uint32_t *tracked;              // by site: the function of its name; PROFILE_NONE without
    uint32_t *owner_node;           // per node: the node that its owner's frame is at
    uint32_t *owner_line;           // and which of its lines
    uint64_t *chain;                // per node: a hash of all functions from its frame outward
    bool *is_found; // per node: whether the filter finds something from here outward
    size_t nodes_count;
};

// Process, modules, threads, timeline, lost, mappings.
bool profile_facts(struct profile *self);
// Frames, lines, functions.
bool profile_names(struct profile *self, const struct profile_options *options);
// What was found of leaks.
bool profile_leaks(struct profile *self, const struct profile_options *options);
// Sites and totals.
bool profile_sites(struct profile *self);
// Owners, rows, paths.
bool profile_rows(struct profile *self, const struct profile_options *options);

// The recording's text as one of the profile's strings; NULL for want of memory.
const char *profile_string(struct profile *self, struct record_text text);
// The last part of a path.
const char *profile_base_name(const char *path);
