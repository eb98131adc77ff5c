#include "profile/inside.h"

#include "profile/pattern.h"

#include <stdlib.h>
#include <string.h>

// Finds paths by their row and chain. Open addressing; holds indices + 1.
struct finder {
    uint32_t *places;
    size_t place_count;
    uint64_t *chains; // by path
    size_t path_capacity;
    size_t row_capacity;
};

static uint64_t mix(uint64_t hash, uint32_t function)
{
    hash = (hash ^ (function + 1u)) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static const struct profile_frame *frame_of(const struct profile *self, uint32_t node)
{
    return &self->frames[self->recording->nodes[node].frame];
}

// All functions of the frame from line `inner` outward, and of its callers.
static uint64_t chain_from(const struct profile *self, uint32_t node, uint32_t inner)
{
    const uint32_t parent = self->recording->nodes[node].parent;
    const struct profile_frame *frame = frame_of(self, node);
    uint64_t chain = parent == RECORD_NONE ? 1 : self->places->chain[parent];
    for (uint32_t i = frame->line_count; i > inner; i--) {
        chain = mix(chain, self->lines[frame->first_line + i - 1].function);
    }
    return chain;
}

// The first line of a frame that is no wrapper; line_count if all are.
static uint32_t owner_in(const struct profile *self, const struct profile_frame *frame)
{
    if (frame->module != PROFILE_NONE && self->modules[frame->module].is_wrapper) {
        return frame->line_count;
    }
    uint32_t i = 0;
    while (i < frame->line_count) {
        const struct profile_line *line = &self->lines[frame->first_line + i];
        if (!self->functions[line->function].is_wrapper) break;
        i++;
    }
    return i;
}

static bool frame_is_found(const struct profile *self, const struct profile_frame *frame,
                           const char *filter)
{
    if (frame->module != PROFILE_NONE && pattern_finds(filter, self->modules[frame->module].name)) {
        return true;
    }
    for (uint32_t i = 0; i < frame->line_count; i++) {
        const struct profile_line *line = &self->lines[frame->first_line + i];
        if (pattern_finds(filter, self->functions[line->function].name)) return true;
        if (pattern_finds(filter, line->full) || pattern_finds(filter, line->file)) return true;
    }
    return false;
}

// What the nodes tell, each after its parent. A frame is looked at once for the filter.
static bool nodes_read(struct profile *self, const char *filter)
{
    const struct recording *recording = self->recording;
    struct profile_places *places = self->places;
    const size_t count = recording->nodes_count;
    places->owner_node = calloc(count + 1, sizeof *places->owner_node);
    places->owner_line = calloc(count + 1, sizeof *places->owner_line);
    places->chain = calloc(count + 1, sizeof *places->chain);
    places->is_found = calloc(count + 1, sizeof *places->is_found);
    bool *is_found = calloc(self->frames_count + 1, sizeof *is_found);
    const bool is_fine =
        places->owner_node && places->owner_line && places->chain && places->is_found && is_found;
    for (size_t i = 0; is_fine && i < self->frames_count; i++) {
        is_found[i] = !filter || frame_is_found(self, &self->frames[i], filter);
    }
    for (size_t i = 0; is_fine && i < count; i++) {
        const struct record_node *node = &recording->nodes[i];
        const struct profile_frame *frame = &self->frames[node->frame];
        const bool has_parent = node->parent != RECORD_NONE;
        places->owner_node[i] = (uint32_t)i;
        places->owner_line[i] = owner_in(self, frame);
        if (places->owner_line[i] == frame->line_count) {
            places->owner_node[i] = has_parent ? places->owner_node[node->parent] : PROFILE_NONE;
            places->owner_line[i] = has_parent ? places->owner_line[node->parent] : 0;
        }
        places->chain[i] = chain_from(self, (uint32_t)i, 0);
        places->is_found[i] = is_found[node->frame];
        if (has_parent) places->is_found[i] |= places->is_found[node->parent];
    }
    free(is_found);
    return is_fine;
}

struct profile_walk profile_walk_from(const struct profile *self, uint32_t node)
{
    return (struct profile_walk){.profile = self, .node = node, .frame = PROFILE_NONE};
}

struct profile_walk profile_walk_callers(const struct profile *self,
                                         const struct profile_path *path)
{
    struct profile_walk walk = profile_walk_from(self, path->node);
    if (self->functions[self->rows[path->row].function].is_tracked) return walk;
    walk.next = path->line;
    (void)profile_walk_next(&walk); // the owner itself
    return walk;
}

uint32_t profile_walk_next(struct profile_walk *walk)
{
    const struct profile *self = walk->profile;
    if (walk->node == PROFILE_NONE || walk->depth >= PROFILE_STACK_MAX) return PROFILE_NONE;
    walk->frame = self->recording->nodes[walk->node].frame;
    const struct profile_frame *frame = &self->frames[walk->frame];
    const uint32_t line = frame->first_line + walk->next++;
    if (walk->next >= frame->line_count) {
        walk->node = self->recording->nodes[walk->node].parent;
        walk->next = 0;
        walk->depth++;
    }
    return line;
}

static bool frame_is_base(const struct profile *self, uint32_t frame)
{
    const uint32_t module = self->frames[frame].module;
    return module != PROFILE_NONE && self->modules[module].is_base;
}

// Sets the line that names the site's row, and gives the frame's node and which of its lines it is.
static void owner_find(const struct profile *self, struct profile_site *site, uint32_t *node_out,
                       uint32_t *inner_out)
{
    *node_out = PROFILE_NONE;
    *inner_out = 0;
    site->owner_line = PROFILE_NONE;
    site->owner = PROFILE_NONE;
    if (site->node == PROFILE_NONE) return;
    uint32_t owner = self->places->owner_node[site->node];
    uint32_t inner = self->places->owner_line[site->node];
    // All are wrappers, or the owner lies deeper than any stack: the outermost that we see, but for
    // what every program begins in (a constructor of libstdc++ is called by the loader).
    struct profile_walk walk = profile_walk_from(self, site->node);
    uint32_t index = 0;
    bool is_named = false;
    for (;; index++) {
        const uint32_t node = walk.node;
        const uint32_t next = walk.next;
        const uint32_t line = profile_walk_next(&walk);
        if (line == PROFILE_NONE) break;
        const bool is_owner = node == owner && next == inner;
        const bool is_base = frame_is_base(self, walk.frame);
        if (is_named && is_base && !is_owner) continue;
        is_named = !is_base;
        *node_out = node;
        *inner_out = next;
        site->owner_line = line;
        site->owner = index;
        if (is_owner) break;
    }
}

// Makes room for one more in each array: there are far fewer than sites. False without memory.
static bool reserve(struct profile *self, struct finder *finder)
{
    if (self->rows_count == finder->row_capacity) {
        const size_t more = finder->row_capacity ? finder->row_capacity * 2 : 64;
        struct profile_row *rows = reallocarray(self->rows, more, sizeof *rows);
        if (!rows) return false;
        self->rows = rows;
        finder->row_capacity = more;
    }
    if (self->paths_count == finder->path_capacity) {
        const size_t more = finder->path_capacity ? finder->path_capacity * 2 : 64;
        struct profile_path *paths = reallocarray(self->paths, more, sizeof *paths);
        if (paths) self->paths = paths;
        uint64_t *chains = reallocarray(finder->chains, more, sizeof *chains);
        if (chains) finder->chains = chains;
        if (!paths || !chains) return false;
        finder->path_capacity = more;
    }
    return true;
}

static bool path_find(struct profile *self, struct finder *finder, uint32_t row, uint64_t chain,
                      uint32_t *index_out)
{
    const uint64_t hash = mix(chain, row);
    size_t i = hash & (finder->place_count - 1);
    for (;; i = (i + 1) & (finder->place_count - 1)) {
        const uint32_t place = finder->places[i];
        if (place == 0) break;
        if (self->paths[place - 1].row == row && finder->chains[place - 1] == chain) {
            *index_out = place - 1;
            return true;
        }
    }
    *index_out = (uint32_t)self->paths_count++;
    finder->places[i] = *index_out + 1;
    finder->chains[*index_out] = chain;
    return false;
}

// Puts one site to its row and path; both arrays have room for one more.
static void site_place(struct profile *self, struct finder *finder, uint32_t *row_of_function,
                       struct profile_site *site)
{
    uint32_t node = PROFILE_NONE;
    uint32_t inner = 0;
    owner_find(self, site, &node, &inner);
    // The first functions are the kinds of sites without a stack.
    uint32_t function = site->kind <= PROFILE_THREAD ? site->kind : 0;
    if (site->owner_line != PROFILE_NONE) function = self->lines[site->owner_line].function;
    const uint32_t tracked = self->places->tracked[site - self->sites];
    if (tracked != PROFILE_NONE) {
        function = tracked;
        node = site->node;
        inner = 0;
    }
    if (row_of_function[function] == 0) {
        self->rows[self->rows_count] =
            (struct profile_row){.function = function, .line = PROFILE_NONE};
        row_of_function[function] = (uint32_t)++self->rows_count;
    }
    site->row = row_of_function[function] - 1;
    struct profile_row *row = &self->rows[site->row];
    figures_add(&row->figures, &site->figures);
    row->site_count++;

    const uint32_t first = tracked != PROFILE_NONE ? 0 : inner + 1; // the first caller
    const uint64_t chain = node == PROFILE_NONE ? 0 : chain_from(self, node, first);
    uint32_t index = 0;
    if (!path_find(self, finder, site->row, chain, &index)) {
        self->paths[index] = (struct profile_path){.row = site->row, .node = node, .line = inner};
        row->path_count++;
    }
    figures_add(&self->paths[index].figures, &site->figures);
    self->paths[index].site_count++;
}

// Each row's paths one behind the other.
static bool paths_gather(struct profile *self)
{
    struct profile_path *sorted = calloc(self->paths_count + 1, sizeof *sorted);
    if (!sorted) return false;
    uint32_t first = 0;
    for (size_t i = 0; i < self->rows_count; i++) {
        self->rows[i].first_path = first;
        first += self->rows[i].path_count;
        self->rows[i].path_count = 0;
    }
    for (size_t i = 0; i < self->paths_count; i++) {
        struct profile_row *row = &self->rows[self->paths[i].row];
        sorted[row->first_path + row->path_count++] = self->paths[i];
    }
    free(self->paths);
    self->paths = sorted;
    return true;
}

// The line at which most was live at the peak, or else allocated.
static void lines_choose(struct profile *self)
{
    for (size_t i = 0; i < self->rows_count; i++) self->rows[i].first_path = PROFILE_NONE;
    for (size_t i = 0; i < self->sites_count; i++) {
        const struct profile_site *site = &self->sites[i];
        if (site->is_hidden || site->owner_line == PROFILE_NONE) continue;
        struct profile_row *row = &self->rows[site->row];
        const struct figures *best =
            row->first_path == PROFILE_NONE ? NULL : &self->sites[row->first_path].figures;
        if (best && (site->figures.at_peak_bytes < best->at_peak_bytes ||
                     (site->figures.at_peak_bytes == best->at_peak_bytes &&
                      site->figures.bytes_allocated <= best->bytes_allocated))) {
            continue;
        }
        row->first_path = (uint32_t)i; // the heaviest site so far
        row->line = site->owner_line;
    }
}

bool profile_rows(struct profile *self, const struct profile_options *options)
{
    const size_t count = self->sites_count;
    if (!nodes_read(self, options->filter)) return false;
    struct finder finder = {.place_count = 64};
    while (finder.place_count < 2 * count) finder.place_count *= 2;
    finder.places = calloc(finder.place_count, sizeof *finder.places);
    uint32_t *row_of_function = calloc(self->functions_count + 1, sizeof *row_of_function);
    bool is_fine = finder.places && row_of_function && reserve(self, &finder);
    for (size_t i = 0; is_fine && i < count; i++) {
        struct profile_site *site = &self->sites[i];
        const bool has_stack = site->node != PROFILE_NONE;
        const bool is_found = has_stack && self->places->is_found[site->node];
        site->is_hidden = options->filter && !is_found &&
                          !(*site->name && pattern_finds(options->filter, site->name));
        self->sites_hidden += site->is_hidden;
        site->row = PROFILE_NONE;
        site->owner = PROFILE_NONE;
        site->owner_line = PROFILE_NONE;
        if (site->is_hidden) continue;
        is_fine = reserve(self, &finder);
        if (is_fine) site_place(self, &finder, row_of_function, site);
    }
    free(finder.places);
    free(finder.chains);
    free(row_of_function);
    if (!is_fine) return false;
    lines_choose(self);
    return paths_gather(self);
}
