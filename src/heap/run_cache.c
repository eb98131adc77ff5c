#include "heap/run_cache.h"

static struct span *remove_at(struct run_cache *self, unsigned place)
{
    struct span *run = self->runs[place];
    self->runs[place] = NULL;
    if (run) self->bytes -= run->size;
    return run;
}

struct span *run_cache_take(struct run_cache *self, size_t page_count)
{
    for (unsigned i = 0; i < RUN_CACHE_COUNT; i++) {
        const struct span *run = self->runs[i];
        if (!run || run->page_count < page_count) continue;
        if (run->page_count - page_count <= page_count / 8) return remove_at(self, i);
    }
    return NULL;
}

struct span *run_cache_keep(struct run_cache *self, struct span *run)
{
    struct span *oldest = remove_at(self, self->next);
    self->runs[self->next] = run;
    self->bytes += run->size;
    self->next = (self->next + 1) % RUN_CACHE_COUNT;
    return oldest;
}

struct span *run_cache_take_any(struct run_cache *self)
{
    for (unsigned i = 0; i < RUN_CACHE_COUNT; i++) {
        if (self->runs[i]) return remove_at(self, i);
    }
    return NULL;
}
