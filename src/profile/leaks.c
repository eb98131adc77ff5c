#include "profile/inside.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static_assert((int)PROFILE_LOST_DIRECT == (int)RECORD_LOST_DIRECT, "as in the recording");
static_assert((int)PROFILE_LOST_INDIRECT == (int)RECORD_LOST_INDIRECT, "as in the recording");
static_assert((int)PROFILE_INTERIOR == (int)RECORD_INTERIOR, "as in the recording");
static_assert((int)PROFILE_REACHABLE == (int)RECORD_REACHABLE, "as in the recording");
static_assert((int)PROFILE_INHERITED == (int)RECORD_INHERITED, "as in the recording");
static_assert((int)PROFILE_IGNORED == (int)RECORD_IGNORED, "as in the recording");
static_assert((int)PROFILE_SUPPRESSED == (int)RECORD_LEAK_KINDS, "not in the recording");

static int by_kind_and_bytes(const void *left, const void *right)
{
    const struct profile_leak *a = left;
    const struct profile_leak *b = right;
    if (a->kind != b->kind) return (a->kind > b->kind) - (a->kind < b->kind);
    if (a->bytes != b->bytes) return (b->bytes > a->bytes) - (b->bytes < a->bytes);
    return (a->site > b->site) - (a->site < b->site);
}

static int by_kind_and_site(const void *left, const void *right)
{
    const struct profile_leak *a = left;
    const struct profile_leak *b = right;
    if (a->kind != b->kind) return (a->kind > b->kind) - (a->kind < b->kind);
    return (a->site > b->site) - (a->site < b->site);
}

// Whoever leads to them: one of each site and kind. Suppressed ones may be of several.
static void sum_up(struct profile_leaks *self)
{
    size_t kept = 0;
    if (self->count == 0) return;
    qsort(self->all, self->count, sizeof *self->all, by_kind_and_site);
    for (size_t i = 1; i < self->count; i++) {
        struct profile_leak *last = &self->all[kept];
        const struct profile_leak *leak = &self->all[i];
        if (by_kind_and_site(last, leak) != 0 || leak->kind == PROFILE_SUPPRESSED) {
            self->all[++kept] = *leak;
            continue;
        }
        last->blocks += leak->blocks;
        last->bytes += leak->bytes;
    }
    self->count = kept + 1;
}

static enum profile_leaks_state state_of(uint32_t state)
{
    switch (state) {
    case RECORD_LEAKS_AWAITED: return PROFILE_LEAKS_AWAITED;
    case RECORD_LEAKS_SCANNED: return PROFILE_LEAKS_SCANNED;
    case RECORD_LEAKS_REFUSED: return PROFILE_LEAKS_REFUSED;
    case RECORD_LEAKS_BUSY: return PROFILE_LEAKS_BUSY;
    default: return PROFILE_LEAKS_UNASKED;
    }
}

// --- suppressions

// Who knows of a direct leak knows of what is lost with it.
static bool matches(const struct suppression *one, const struct profile *self,
                    const struct profile_leak *leak)
{
    if (suppression_matches(one, self, leak->site, leak->kind)) return true;
    return leak->kind == PROFILE_LOST_INDIRECT && leak->leader != 0 &&
           suppression_matches(one, self, leak->leader, PROFILE_LOST_DIRECT);
}

// How many blocks of this process each is meant for: one that has a limit may be of no use.
static void suppressions_weigh(const struct profile *self, struct suppressions *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct suppression *one = &list->all[i];
        one->is_exceeded = false; // by this process
        if (one->max_blocks == UINT64_MAX) continue;
        uint64_t blocks = 0;
        for (size_t j = 0; j < self->leaks.count; j++) {
            const struct profile_leak *leak = &self->leaks.all[j];
            if (leak->kind > PROFILE_LOST_INDIRECT) continue; // what is in use is no trouble
            if (matches(one, self, leak)) blocks += leak->blocks;
        }
        if (blocks > one->max_blocks) {
            one->is_exceeded = true;
            if (blocks > one->blocks_over) one->blocks_over = blocks;
        }
    }
}

static bool is_suppressed(const struct profile *self, struct suppressions *list,
                          const struct profile_leak *leak)
{
    for (size_t i = 0; i < list->count; i++) {
        struct suppression *one = &list->all[i];
        if (one->is_exceeded) continue;
        if (!matches(one, self, leak)) continue;
        one->blocks += leak->blocks;
        one->bytes += leak->bytes;
        return true;
    }
    return false;
}

static void suppress(struct profile *self, struct suppressions *list)
{
    if (!list || list->count == 0) return;
    suppressions_weigh(self, list);
    for (size_t i = 0; i < self->leaks.count; i++) {
        struct profile_leak *leak = &self->leaks.all[i];
        if (leak->kind >= PROFILE_INHERITED) continue;
        if (!is_suppressed(self, list, leak)) continue;
        if (leak->kind <= PROFILE_LOST_INDIRECT) self->leaks.suppressed_lost += leak->blocks;
        leak->kind = PROFILE_SUPPRESSED;
    }
}

// What the program says itself. What is wrong in it is left out: it is not the user's to mend.
static bool own_read(struct profile *self)
{
    const struct recording *recording = self->recording;
    const struct record_text text = recording->process->suppressions;
    struct suppressions_problem problem;
    if (text.size == 0) return true;
    return suppressions_add(&self->leaks.own, SUPPRESSION_OF_PROGRAM, "the program",
                            recording_text(recording, text), text.size, &problem) != -ENOMEM;
}

// --- all of it

bool profile_leaks(struct profile *self, const struct profile_options *options)
{
    const struct recording *recording = self->recording;
    const struct record_process *process = recording->process;
    struct profile_leaks *leaks = &self->leaks;
    leaks->state = state_of(process->leak_state);
    leaks->reason = profile_string(self, process->leak_reason);
    leaks->duration_ms = process->leak_ms;
    leaks->thread_count = process->leak_threads;
    leaks->all = calloc(recording->leaks_count + 1, sizeof *leaks->all);
    if (!leaks->all || !leaks->reason) return false;
    if (leaks->state != PROFILE_LEAKS_SCANNED) return true; // it was not finished
    for (size_t i = 0; i < recording->leaks_count; i++) {
        const struct record_leak *from = &recording->leaks[i];
        struct profile_leak *to = &leaks->all[leaks->count++];
        *to = (struct profile_leak){
            .blocks = from->blocks,
            .bytes = from->bytes,
            .site = from->site,
            .kind = (enum profile_leak_kind)from->kind,
            .leader = from->leader,
        };
    }
    if (!own_read(self)) return false;
    suppress(self, options->suppressions);
    suppress(self, &leaks->own);
    sum_up(leaks);
    for (size_t i = 0; i < leaks->count; i++) {
        const struct profile_leak *leak = &leaks->all[i];
        leaks->sums[leak->kind].blocks += leak->blocks;
        leaks->sums[leak->kind].bytes += leak->bytes;
    }
    qsort(leaks->all, leaks->count, sizeof *leaks->all, by_kind_and_bytes);
    return true;
}
