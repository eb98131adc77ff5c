#include "profile/inside.h"

#include <assert.h>
#include <stdlib.h>

static_assert((int)PROFILE_LOST_DIRECT == (int)RECORD_LOST_DIRECT, "as in the recording");
static_assert((int)PROFILE_LOST_INDIRECT == (int)RECORD_LOST_INDIRECT, "as in the recording");
static_assert((int)PROFILE_INTERIOR == (int)RECORD_INTERIOR, "as in the recording");
static_assert((int)PROFILE_REACHABLE == (int)RECORD_REACHABLE, "as in the recording");
static_assert((int)PROFILE_INHERITED == (int)RECORD_INHERITED, "as in the recording");
static_assert((int)PROFILE_LEAK_KINDS == (int)RECORD_LEAK_KINDS, "as in the recording");

static int by_kind_and_bytes(const void *left, const void *right)
{
    const struct profile_leak *a = left;
    const struct profile_leak *b = right;
    if (a->kind != b->kind) return (a->kind > b->kind) - (a->kind < b->kind);
    if (a->bytes != b->bytes) return (b->bytes > a->bytes) - (b->bytes < a->bytes);
    return (a->site > b->site) - (a->site < b->site);
}

static enum profile_leaks_state state_of(uint32_t state)
{
    switch (state) {
    case RECORD_LEAKS_AWAITED: return PROFILE_LEAKS_AWAITED;
    case RECORD_LEAKS_SCANNED: return PROFILE_LEAKS_SCANNED;
    case RECORD_LEAKS_REFUSED: return PROFILE_LEAKS_REFUSED;
    default: return PROFILE_LEAKS_UNASKED;
    }
}

bool profile_leaks(struct profile *self)
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
        };
        leaks->sums[to->kind].blocks += to->blocks;
        leaks->sums[to->kind].bytes += to->bytes;
    }
    qsort(leaks->all, leaks->count, sizeof *leaks->all, by_kind_and_bytes);
    return true;
}
