#include "heap/run_bins.h"

// How many runs of an inexact bin are looked at for a fit before a longer bin is taken (guess:
// keeps a search bounded; longer runs are split, so nothing is wasted but order).
enum { SEARCH_MAX = 16 };

static unsigned bin_of(size_t page_count)
{
    if (page_count <= RUN_BIN_EXACT_MAX) return (unsigned)page_count;
    unsigned doubling = log2_floor(page_count); // 64 … 127 pages: 6
    unsigned step = (unsigned)(page_count >> (doubling - 3)) & 7;
    unsigned bin = RUN_BIN_EXACT_MAX + 1 + (doubling - 6) * 8 + step;
    return bin < RUN_BIN_COUNT ? bin : RUN_BIN_COUNT - 1;
}

void run_bins_init(struct run_bins *self)
{
    for (unsigned i = 0; i < RUN_BIN_COUNT; i++) list_init(&self->runs[i]);
}

void run_bins_add(struct run_bins *self, struct span *run)
{
    unsigned bin = bin_of(run->page_count);
    list_add_first(&self->runs[bin], &run->link);
    self->nonempty[bin / 64] |= UINT64_C(1) << bin % 64;
    self->bytes += run->size;
}

void run_bins_remove(struct run_bins *self, struct span *run)
{
    unsigned bin = bin_of(run->page_count);
    list_remove(&run->link);
    if (list_is_empty(&self->runs[bin])) self->nonempty[bin / 64] &= ~(UINT64_C(1) << bin % 64);
    self->bytes -= run->size;
}

// The first bin from `bin` on that holds a run; RUN_BIN_COUNT when none does.
static unsigned next_nonempty(const struct run_bins *self, unsigned bin)
{
    while (bin < RUN_BIN_COUNT) {
        uint64_t rest = self->nonempty[bin / 64] >> bin % 64;
        if (rest) return bin + (unsigned)__builtin_ctzl(rest);
        bin = (bin / 64 + 1) * 64;
    }
    return RUN_BIN_COUNT;
}

struct span *run_bins_find(const struct run_bins *self, size_t page_count)
{
    unsigned bin = bin_of(page_count);
    unsigned longer = bin > RUN_BIN_EXACT_MAX ? bin + 1 : bin; // whose runs are all long enough
    longer = next_nonempty(self, longer);
    if (bin > RUN_BIN_EXACT_MAX) {
        // Without a longer one the whole bin is searched: the alternative is to ask the OS.
        const struct list *head = &self->runs[bin];
        int looks = 0;
        for (struct list *node = head->next; node != head; node = node->next) {
            struct span *run = LIST_ENTRY(node, struct span, link);
            if (run->page_count >= page_count) return run;
            if (++looks >= SEARCH_MAX && longer < RUN_BIN_COUNT) break;
        }
    }
    return longer < RUN_BIN_COUNT ? LIST_ENTRY(self->runs[longer].next, struct span, link) : NULL;
}

struct span *run_bins_find_shorter(const struct run_bins *self, size_t least, size_t most)
{
    for (size_t bin = most; bin-- > least;) {
        const struct list *runs = &self->runs[bin];
        if (!list_is_empty(runs)) return LIST_ENTRY(runs->next, struct span, link);
    }
    return NULL;
}

struct span *run_bins_peek(const struct run_bins *self)
{
    unsigned bin = next_nonempty(self, 0);
    return bin < RUN_BIN_COUNT ? LIST_ENTRY(self->runs[bin].next, struct span, link) : NULL;
}

struct span *run_bins_peek_longest(const struct run_bins *self)
{
    for (size_t i = sizeof self->nonempty / sizeof self->nonempty[0]; i-- > 0;) {
        if (self->nonempty[i] == 0) continue;
        size_t bin = i * 64 + log2_floor(self->nonempty[i]);
        return LIST_ENTRY(self->runs[bin].next, struct span, link);
    }
    return NULL;
}
