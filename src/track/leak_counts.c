#include "track/leak_counts.h"

#include "base/align.h"
#include "os/own_pages.h"
#include "os/pages.h"

static const size_t pairs_size = LEAK_PAIRS_MAX * sizeof(struct leak_pair);

bool leak_counts_begin(struct leak_counts *self, size_t site_count)
{
    *self = (struct leak_counts){.site_count = site_count};
    self->size = align_up(site_count * RECORD_LEAK_KINDS * sizeof *self->all, PAGE_SIZE);
    char *memory = own_pages_map(self->size + pairs_size); // of what is not used none is there
    if (!memory) return false;
    self->all = (void *)memory;
    self->pairs = (void *)(memory + self->size);
    return true;
}

void leak_counts_end(struct leak_counts *self)
{
    if (!self->all) return;
    index_drop(&self->index);
    own_pages_unmap(self->all, self->size + pairs_size);
    *self = (struct leak_counts){0};
}

static void add(struct leak_count *count, uint64_t bytes)
{
    count->blocks++;
    count->bytes += bytes;
}

void leak_counts_add(struct leak_counts *self, uint32_t site, enum record_leak_kind kind,
                     uint64_t bytes)
{
    size_t row = site < self->site_count ? site : 0;
    add(&self->all[row * RECORD_LEAK_KINDS + kind], bytes);
}

void leak_counts_add_indirect(struct leak_counts *self, uint32_t site, uint32_t leader,
                              uint64_t bytes)
{
    uint32_t pair = index_find(&self->index, leader, site);
    if (pair == (uint32_t)INDEX_NONE) {
        const bool has_room = self->pair_count < LEAK_PAIRS_MAX && site < self->site_count &&
                              leader < self->site_count &&
                              index_add_alone(&self->index, leader, site, self->pair_count);
        if (!has_room) {
            leak_counts_add(self, site, RECORD_LOST_INDIRECT, bytes);
            return;
        }
        pair = self->pair_count++;
        self->pairs[pair] = (struct leak_pair){.site = site, .leader = leader};
    }
    add(&self->pairs[pair].count, bytes);
}

void leak_counts_settle(struct leak_counts *self, size_t capacity)
{
    size_t rows = self->pair_count;
    for (size_t i = 0; i < self->site_count * RECORD_LEAK_KINDS; i++) {
        rows += self->all[i].blocks > 0;
    }
    if (rows <= capacity) return;
    for (size_t i = 0; i < self->pair_count; i++) {
        const struct leak_pair *pair = &self->pairs[i];
        struct leak_count *to = &self->all[pair->site * RECORD_LEAK_KINDS + RECORD_LOST_INDIRECT];
        to->blocks += pair->count.blocks;
        to->bytes += pair->count.bytes;
    }
    self->pair_count = 0;
}

uint64_t leak_counts_lost(const struct leak_counts *self)
{
    uint64_t blocks = 0;
    for (size_t i = 0; i < self->site_count; i++) {
        const struct leak_count *of_site = &self->all[i * RECORD_LEAK_KINDS];
        blocks += of_site[RECORD_LOST_DIRECT].blocks + of_site[RECORD_LOST_INDIRECT].blocks;
    }
    for (size_t i = 0; i < self->pair_count; i++) blocks += self->pairs[i].count.blocks;
    return blocks;
}
