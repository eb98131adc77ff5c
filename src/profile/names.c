#include "profile/inside.h"

#include "profile/pattern.h"
#include "profile/wrappers.h"
#include "symbols/elf_file.h"
#include "symbols/fold.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNNAMED_SIZE = 24 }; // for "+0x" and a number

// Finds functions by name and file, or module where there is no file. All strings are unique, so
// pointers are compared. Open addressing; holds indices + 1; used * 2 <= place_count.
struct finder {
    struct profile *profile;
    const struct profile_options *options;
    uint32_t *places;
    size_t place_count;
};

static size_t hash_of(const struct profile_function *function)
{
    uint64_t hash = (uintptr_t)function->name * 0x9e3779b97f4a7c15u;
    hash ^= (uintptr_t)function->file + (*function->file ? 0 : function->module);
    hash *= 0x9e3779b97f4a7c15u;
    return (size_t)(hash ^ hash >> 29);
}

static bool is_same(const struct profile_function *one, const struct profile_function *other)
{
    if (one->name != other->name || one->file != other->file) return false;
    if (one->is_tracked != other->is_tracked) return false;
    return *one->file || one->module == other->module;
}

static uint32_t *place_find(const struct finder *self, const struct profile_function *function)
{
    const struct profile_function *functions = self->profile->functions;
    for (size_t i = hash_of(function) & (self->place_count - 1);;
         i = (i + 1) & (self->place_count - 1)) {
        uint32_t *place = &self->places[i];
        if (*place == 0 || is_same(&functions[*place - 1], function)) return place;
    }
}

static bool grow(struct finder *self)
{
    struct profile *profile = self->profile;
    if (profile->functions_count * 2 < self->place_count) return true;
    const size_t larger = self->place_count ? self->place_count * 2 : 256;
    struct profile_function *functions =
        reallocarray(profile->functions, larger, sizeof *functions);
    if (!functions) return false;
    profile->functions = functions;
    uint32_t *places = calloc(larger, sizeof *places);
    if (!places) return false;
    free(self->places);
    self->places = places;
    self->place_count = larger;
    for (size_t i = 0; i < profile->functions_count; i++) {
        *place_find(self, &functions[i]) = (uint32_t)i + 1;
    }
    return true;
}

// A library that was loaded again is the same one: its functions are, and so are its offsets.
static uint32_t module_of(const struct profile *self, uint32_t module)
{
    return module == PROFILE_NONE ? module : self->modules[module].same_as;
}

static bool is_skipped(const struct profile_options *options, const char *name)
{
    for (size_t i = 0; i < options->skip_count; i++) {
        if (pattern_matches(options->skips[i], name)) return true;
    }
    return false;
}

static bool function_find(struct finder *self, struct profile_function function,
                          uint32_t *index_out)
{
    struct profile *profile = self->profile;
    if (!grow(self)) return false;
    uint32_t *place = place_find(self, &function);
    if (*place == 0) {
        function.is_wrapper =
            wrapper_is_function(function.name) || is_skipped(self->options, function.name);
        profile->functions[profile->functions_count++] = function;
        *place = (uint32_t)profile->functions_count;
    }
    *index_out = *place - 1;
    return true;
}

static const char *folded(struct finder *self, const char *full)
{
    char *name = fold(full);
    if (!name) return NULL;
    const char *kept = strings_add(&self->profile->places->strings, name, strlen(name));
    free(name);
    return kept;
}

// A line that the recording has, of a frame in `module`.
static bool line_name(struct finder *self, const struct record_line *from, uint32_t module,
                      struct profile_line *to)
{
    struct profile *profile = self->profile;
    *to = (struct profile_line){
        .full = profile_string(profile, from->function),
        .linkage = profile_string(profile, from->linkage),
        .file = profile_string(profile, from->file),
        .line = from->line,
        .is_inlined = from->is_inlined != 0,
    };
    if (!to->full || !to->linkage || !to->file) return false;
    if (!*to->full) to->full = "(unnamed)";
    const char *name = folded(self, to->full);
    if (!name) return false;
    return function_find(self,
                         (struct profile_function){
                             .name = name, .file = to->file, .module = module_of(profile, module)},
                         &to->function);
}

// A line for a frame that has no name: module+offset.
static bool line_make(struct finder *self, const struct profile_frame *frame,
                      struct profile_line *to)
{
    struct profile *profile = self->profile;
    const bool has_module = frame->module != PROFILE_NONE;
    const char *module = has_module ? profile->modules[frame->module].name : "";
    const size_t size = strlen(module) + UNNAMED_SIZE;
    char *text = malloc(size);
    if (!text) return false;
    (void)snprintf(text, size, "%s%s0x%llx", module, has_module ? "+" : "",
                   (unsigned long long)frame->offset);
    const char *name = strings_add(&profile->places->strings, text, strlen(text));
    const char *file = strings_add(&profile->places->strings, "", 0);
    free(text);
    if (!name || !file) return false;
    *to = (struct profile_line){.full = name, .linkage = "", .file = file};
    return function_find(self,
                         (struct profile_function){.name = name,
                                                   .file = file,
                                                   .module = module_of(profile, frame->module),
                                                   .is_nameless = true},
                         &to->function);
}

// Frames point into the recording's lines, and behind these into those made for the nameless.
static bool frames_read(struct profile *self)
{
    const struct recording *recording = self->recording;
    self->frames = calloc(recording->frames_count + 1, sizeof *self->frames);
    if (!self->frames) return false;
    self->frames_count = recording->frames_count;
    self->has_names = recording->names_count > 0;
    size_t line = recording->lines_count;
    for (size_t i = 0; i < self->frames_count; i++) {
        struct profile_frame *frame = &self->frames[i];
        frame->offset = recording->frames[i].offset;
        frame->module = recording->frames[i].module;
        const struct record_name name =
            i < recording->names_count ? recording->names[i] : (struct record_name){0};
        if (name.count > 0) {
            frame->first_line = name.first;
            frame->line_count = name.count < PROFILE_INLINES_MAX ? name.count : PROFILE_INLINES_MAX;
        } else {
            frame->first_line = (uint32_t)line++;
            frame->line_count = 1;
        }
        if (frame->module == PROFILE_NONE) continue;
        const bool is_nameless = name.count == 0;
        self->modules[frame->module].frames++;
        self->modules[frame->module].frames_nameless += is_nameless;
        self->modules[module_of(self, frame->module)].file_frames_nameless += is_nameless;
    }
    self->lines_count = line;
    self->lines = calloc(line + 1, sizeof *self->lines);
    return self->lines != NULL && line < PROFILE_NONE;
}

static bool lines_read(struct finder *self)
{
    struct profile *profile = self->profile;
    const struct recording *recording = profile->recording;
    for (size_t i = 0; i < profile->frames_count; i++) {
        const struct profile_frame *frame = &profile->frames[i];
        for (size_t j = 0; j < frame->line_count; j++) {
            const size_t at = frame->first_line + j;
            struct profile_line *line = &profile->lines[at];
            if (line->full) continue; // of another frame, too
            const bool is_fine = at < recording->lines_count
                                     ? line_name(self, &recording->lines[at], frame->module, line)
                                     : line_make(self, frame, line);
            if (!is_fine) return false;
        }
    }
    return true;
}

// Sites without a stack are functions of their own. Lines that no frame uses have none: never read.
static bool kinds_name(struct finder *self)
{
    static const char *const names[] = {
        "(no stack)",
        "(before the observation)",
        "(in a signal handler)",
        "(sites past the limit)",
        "(the C library for mete)",
        "(at a thread's end, or in one past the limit)",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct strings *strings = &self->profile->places->strings;
        const struct profile_function function = {
            .name = strings_add(strings, names[i], strlen(names[i])),
            .file = strings_add(strings, "", 0),
            .module = PROFILE_NONE,
        };
        uint32_t index = 0;
        if (!function.name || !function.file) return false;
        if (!function_find(self, function, &index)) return false;
    }
    return true;
}

// What the program tracks is named by it: "[pool chunk]".
static bool tracked_name(struct finder *self, const char *name, uint32_t *index_out)
{
    struct strings *strings = &self->profile->places->strings;
    const size_t size = strlen(name) + sizeof "[]";
    char *text = malloc(size);
    if (!text) return false;
    (void)snprintf(text, size, "[%s]", name);
    const struct profile_function function = {
        .name = strings_add(strings, text, size - 1),
        .file = strings_add(strings, "", 0),
        .module = PROFILE_NONE,
        .is_tracked = true,
    };
    free(text);
    return function.name && function.file && function_find(self, function, index_out);
}

static bool tracked_read(struct finder *self)
{
    struct profile *profile = self->profile;
    const struct recording *recording = profile->recording;
    uint32_t *tracked = calloc(recording->sites_count + 1, sizeof *tracked);
    profile->places->tracked = tracked;
    if (!tracked) return false;
    for (size_t i = 0; i < recording->sites_count; i++) {
        tracked[i] = PROFILE_NONE;
        const char *name = profile_string(profile, recording->sites[i].name);
        if (!name || (*name && !tracked_name(self, name, &tracked[i]))) return false;
    }
    return true;
}

bool profile_names(struct profile *self, const struct profile_options *options)
{
    for (size_t i = 0; i < self->modules_count; i++) {
        struct profile_module *module = &self->modules[i];
        module->is_wrapper = module->is_wrapper || is_skipped(options, module->name);
    }
    struct finder finder = {.profile = self, .options = options};
    // The kinds come first: a site's kind is its function's index.
    const bool is_fine =
        kinds_name(&finder) && frames_read(self) && lines_read(&finder) && tracked_read(&finder);
    free(finder.places);
    return is_fine;
}

enum profile_file profile_module_file(const struct profile *self, size_t module)
{
    const struct record_module *from = &self->recording->modules[module];
    struct elf_file file;
    const int error = elf_file_open(self->modules[module].path, -1, &file);
    if (error == -EACCES) return PROFILE_FILE_CLOSED;
    if (error) return error == -ENOMEM ? PROFILE_FILE_THERE : PROFILE_FILE_GONE;
    const bool is_same = elf_file_has_build_id(&file, from->build_id, from->build_id_size);
    elf_file_close(&file);
    return is_same ? PROFILE_FILE_THERE : PROFILE_FILE_GONE;
}
