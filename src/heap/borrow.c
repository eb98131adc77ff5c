#include "heap/borrow.h"

// Measured on bench/programs: see docs/heap.md.
enum {
    RARE_PAGES = 16,        // a class whose requests made so many necessary has spans of its own,
    RARE_REQUESTS = 1024,   // and so has one with so many: each costs a hundred instructions more
    BLOCK_RATIO_MAX = 2,    // of a borrowed block to what was wanted
    FREE_SHARE = 8,         // an eighth of a span's blocks must be free
    SPANS_PER_CLASS_MAX = 4 // looked at: the longest in the list have had most freed
};

enum { REQUESTS_PER_PAGE = RARE_REQUESTS / RARE_PAGES };

bool borrow_is_rare(struct bin_reserve *reserve, unsigned class)
{
    if (reserve->current || reserve->requests >= RARE_REQUESTS) return false;
    if (size_class_coarse(class) == class) return false;
    reserve->requests++;
    return true;
}

void borrow_note_growth(struct bin_reserve *reserve, size_t page_count)
{
    if (reserve->requests >= RARE_REQUESTS) return;
    reserve->requests += (unsigned)page_count * REQUESTS_PER_PAGE;
}

static bool has_many_free(const struct span *span)
{
    // Its touched pages must hold free blocks: else it would have fresh ones faulted in.
    return span->freed_cells && span_used(span) <= span->capacity - span->capacity / FREE_SHARE;
}

static struct span *borrow_from(struct bin_reserve *reserve)
{
    struct list *partial = &reserve->partial;
    unsigned looks = 0;
    for (struct list *node = partial->next; node && node != partial; node = node->next) {
        struct span *span = LIST_ENTRY(node, struct span, link);
        if (has_many_free(span) && span_try_busy(span)) return span;
        if (++looks == SPANS_PER_CLASS_MAX) return NULL;
    }
    return NULL;
}

struct span *borrow_span(struct thread_heap *self, unsigned class, unsigned asked)
{
    size_t size_max = size_class_size(asked) * BLOCK_RATIO_MAX;
    for (class ++; class < CLASS_COUNT && size_class_size(class) <= size_max; class ++) {
        struct span *span = borrow_from(&self->reserves[class]);
        if (span) return span;
    }
    return NULL;
}
