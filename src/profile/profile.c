#include "profile/profile.h"

#include "profile/inside.h"

#include <stdlib.h>

struct profile *profile_create(const struct recording *recording,
                               const struct profile_options *options)
{
    static const struct profile_options no_options = {0};
    if (!options) options = &no_options;
    struct profile *self = calloc(1, sizeof *self);
    struct profile_places *places = calloc(1, sizeof *places);
    if (!self || !places) {
        free(self);
        free(places);
        return NULL;
    }
    self->recording = recording;
    self->places = places;
    if (profile_facts(self) && profile_names(self, options) && profile_leaks(self, options) &&
        profile_sites(self) && profile_rows(self, options)) {
        return self;
    }
    profile_destroy(self);
    return NULL;
}

void profile_destroy(struct profile *self)
{
    if (!self) return;
    struct profile_places *places = self->places;
    strings_deinit(&places->strings);
    free(places->rows);
    free(places->tracked);
    free(places->owner_node);
    free(places->owner_line);
    free(places->chain);
    free(places->is_found);
    free(places);
    free(self->process.command);
    free(self->modules);
    free(self->threads);
    free(self->timeline);
    free(self->lost);
    free(self->mappings);
    free(self->functions);
    free(self->lines);
    free(self->frames);
    free(self->sites);
    free(self->rows);
    free(self->paths);
    free(self->leaks.all);
    suppressions_deinit(&self->leaks.own);
    free(self);
}
