#include "cli/frame_names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// A module that was seen, as `symbols` numbers it.
struct seen {
    char *path;
    uint8_t *build_id;
    size_t build_id_size;
    size_t index;
};

struct known {
    uint64_t offset;
    size_t module; // and 1: 0 is a free place
    struct symbols_name name;
};

// Open addressing: place_count is 0 or a power of two, and at most half of the places are taken.
struct frame_names {
    struct symbols *symbols;
    struct seen *seen;
    size_t seen_count;
    struct known *places;
    size_t place_count;
    size_t taken;
};

// What is asked of one module and not known.
struct question {
    uint64_t *offsets;
    size_t *places; // in names_out
    struct symbols_name *found;
    size_t count;
};

struct frame_names *frame_names_create(void)
{
    const struct symbols_options options = {0};
    struct frame_names *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    self->symbols = symbols_create(&options);
    if (self->symbols) return self;
    free(self);
    return NULL;
}

void frame_names_destroy(struct frame_names *self)
{
    if (!self) return;
    for (size_t i = 0; i < self->seen_count; i++) {
        free(self->seen[i].path);
        free(self->seen[i].build_id);
    }
    free(self->seen);
    free(self->places);
    symbols_destroy(self->symbols);
    free(self);
}

// --- modules

// The number of a module that can be told again; a new one if it cannot.
static int module_find(struct frame_names *self, const struct symbols_module *module,
                       size_t *index_out)
{
    if (module->build_id_size == 0) return symbols_add_module(self->symbols, module, index_out);
    for (size_t i = 0; i < self->seen_count; i++) {
        const struct seen *seen = &self->seen[i];
        if (seen->build_id_size == module->build_id_size &&
            memcmp(seen->build_id, module->build_id, module->build_id_size) == 0 &&
            strcmp(seen->path, module->path) == 0) {
            *index_out = seen->index;
            return 0;
        }
    }
    struct seen *all = reallocarray(self->seen, self->seen_count + 1, sizeof *all);
    if (!all) return -ENOMEM;
    self->seen = all;
    struct seen *added = &all[self->seen_count];
    *added = (struct seen){
        .path = strdup(module->path),
        .build_id = malloc(module->build_id_size),
        .build_id_size = module->build_id_size,
    };
    int error = -ENOMEM;
    if (added->path && added->build_id) {
        memcpy(added->build_id, module->build_id, module->build_id_size);
        error = symbols_add_module(self->symbols, module, &added->index);
    }
    if (error) {
        free(added->path);
        free(added->build_id);
        return error;
    }
    self->seen_count++;
    *index_out = added->index;
    return 0;
}

// --- what is known

static struct known *place_find(const struct frame_names *self, size_t module, uint64_t offset)
{
    const uint64_t hash = (offset ^ (uint64_t)module << 48) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(hash >> 32) & (self->place_count - 1);
    for (;; i = (i + 1) & (self->place_count - 1)) {
        struct known *place = &self->places[i];
        if (place->module == 0) return place;
        if (place->module == module + 1 && place->offset == offset) return place;
    }
}

// Makes room for `more` names. False for want of memory.
static bool places_grow(struct frame_names *self, size_t more)
{
    struct frame_names larger = *self;
    if (larger.place_count == 0) larger.place_count = 1024;
    while ((self->taken + more) * 2 > larger.place_count) larger.place_count *= 2;
    if (larger.place_count == self->place_count) return true;
    larger.places = calloc(larger.place_count, sizeof *larger.places);
    if (!larger.places) return false;
    for (size_t i = 0; i < self->place_count; i++) {
        const struct known *known = &self->places[i];
        if (known->module > 0) *place_find(&larger, known->module - 1, known->offset) = *known;
    }
    free(self->places);
    *self = larger;
    return true;
}

// --- questions

static bool question_init(struct question *self, size_t count)
{
    *self = (struct question){
        .offsets = calloc(count + 1, sizeof *self->offsets),
        .places = calloc(count + 1, sizeof *self->places),
        .found = calloc(count + 1, sizeof *self->found),
    };
    return self->offsets && self->places && self->found;
}

static void question_deinit(struct question *self)
{
    free(self->offsets);
    free(self->places);
    free(self->found);
}

int frame_names_find(struct frame_names *self, const struct symbols_module *module,
                     const uint64_t *offsets, size_t count, struct symbols_name *names_out)
{
    struct question question;
    size_t index = 0;
    int error = question_init(&question, count) && places_grow(self, count) ? 0 : -ENOMEM;
    if (!error) error = module_find(self, module, &index);
    for (size_t i = 0; i < count && !error; i++) {
        const struct known *known = place_find(self, index, offsets[i]);
        if (known->module > 0) {
            names_out[i] = known->name;
            continue;
        }
        question.offsets[question.count] = offsets[i];
        question.places[question.count++] = i;
    }
    if (!error && question.count > 0) {
        error =
            symbols_resolve(self->symbols, index, question.offsets, question.count, question.found);
    }
    for (size_t i = 0; i < question.count && !error; i++) {
        struct known *known = place_find(self, index, question.offsets[i]);
        self->taken += known->module == 0; // the same offset may be asked for twice
        *known = (struct known){question.offsets[i], index + 1, question.found[i]};
        names_out[question.places[i]] = question.found[i];
    }
    question_deinit(&question);
    return error;
}
