#include "ledger.h"

#include "heap/note.h"
#include "os/lock.h"

#include <stdio.h>
#include <string.h>

enum {
    PLACES = 1 << 16, // open addressing; more blocks than half of it would be a test's mistake
    SPANS = 4096,
};

static struct {
    struct lock lock;
    struct ledger_entry places[PLACES]; // block 0: empty; block 1: was one
    struct {
        uintptr_t base;
        size_t size;
    } spans[SPANS];
    size_t span_count;
    struct ledger_totals totals;
    uint32_t site_next;
    char mistake[200];
} book;

static void mistake(const char *what, const void *block, size_t told, size_t expected)
{
    book.totals.mistakes++;
    (void)snprintf(book.mistake, sizeof book.mistake, "%s at %p: told %#zx, should be %#zx", what,
                   block, told, expected);
}

static size_t place_of(uintptr_t block)
{
    return (size_t)((block >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 48) % PLACES;
}

static struct ledger_entry *find(uintptr_t block)
{
    for (size_t i = place_of(block), tries = 0; tries < PLACES; i = (i + 1) % PLACES, tries++) {
        if (book.places[i].block == block) return &book.places[i];
        if (book.places[i].block == 0) return NULL;
    }
    return NULL;
}

static struct ledger_entry *empty_place(uintptr_t block)
{
    size_t i = place_of(block);
    while (book.places[i].block > 1) i = (i + 1) % PLACES;
    return &book.places[i];
}

static void *allocated(struct span *span, void *block, size_t size)
{
    size_t block_size = span_block_size(span);
    lock_take(&book.lock);
    if (size > block_size) mistake("size", block, size, block_size);
    if ((uintptr_t)block % 16) mistake("alignment", block, (uintptr_t)block % 16, 0);
    if (find((uintptr_t)block)) mistake("live already", block, size, 0);
    uint32_t site = book.site_next++ % (NOTE_SITE_COUNT - 1) + 1;
    *empty_place((uintptr_t)block) = (struct ledger_entry){
        .block = (uintptr_t)block,
        .size = size,
        .block_size = block_size,
        .site = site,
    };
    book.totals.allocations++;
    book.totals.live_blocks++;
    book.totals.live_bytes += size;
    lock_give(&book.lock);
    note_block(span, block, size, site);
    return block;
}

static void freeing_known(struct ledger_entry *entry, uint32_t site, size_t size, size_t block_size)
{
    const void *block = (const void *)entry->block;
    if (site != entry->site) mistake("site", block, site, entry->site);
    if (size != entry->size) mistake("requested size", block, size, entry->size);
    if (block_size != entry->block_size) {
        mistake("block size", block, block_size, entry->block_size);
    }
    book.totals.frees++;
    book.totals.live_blocks--;
    book.totals.live_bytes -= entry->size;
    entry->block = 1;
}

static void free_block(void *block, uint32_t site, size_t size, size_t block_size)
{
    lock_take(&book.lock);
    struct ledger_entry *entry = find((uintptr_t)block);
    if (entry) {
        freeing_known(entry, site, size, block_size);
    } else {
        book.totals.frees_unknown++;
        if (site != 0) mistake("site of a block from before", block, site, 0);
        if (size != block_size) mistake("size of a block from before", block, size, block_size);
    }
    lock_give(&book.lock);
}

// The thread's last freeing(): what a realloc goes on from.
static __thread size_t size_freed;

static void freeing(void *block, uint32_t site, size_t size, size_t block_size)
{
    size_freed = size;
    free_block(block, site, size, block_size);
}

static void *resized(struct span *span, void *block, size_t old_size, size_t size)
{
    allocated(span, block, size);
    lock_take(&book.lock);
    if (old_size != size_freed) mistake("old size", block, old_size, size_freed);
    book.totals.resizes++;
    lock_give(&book.lock);
    return block;
}

static void kept(void *block, uint32_t site, size_t size, size_t block_size)
{
    lock_take(&book.lock);
    if (site == 0) mistake("kept without a site", block, 0, 1);
    if (size != size_freed) mistake("kept size", block, size, size_freed);
    *empty_place((uintptr_t)block) = (struct ledger_entry){
        .block = (uintptr_t)block,
        .size = size,
        .block_size = block_size,
        .site = site,
    };
    book.totals.frees--;
    book.totals.live_blocks++;
    book.totals.live_bytes += size;
    book.totals.kept++;
    lock_give(&book.lock);
}

static void span_made(uintptr_t base, size_t size)
{
    lock_take(&book.lock);
    if (base % 4096 || size % 4096 || !size) mistake("span", (void *)base, size, 4096);
    for (size_t i = 0; i < book.span_count; i++) {
        if (book.spans[i].base == base) mistake("span there already", (void *)base, size, 0);
    }
    if (book.span_count == SPANS) {
        mistake("more spans than the book has lines", (void *)base, SPANS, SPANS);
    } else {
        book.spans[book.span_count].base = base;
        book.spans[book.span_count++].size = size;
        book.totals.span_bytes += size;
    }
    lock_give(&book.lock);
}

// Spans from before the observation go too: they are not in the book.
static void span_gone(uintptr_t base, size_t size)
{
    lock_take(&book.lock);
    for (size_t i = 0; i < book.span_count; i++) {
        if (book.spans[i].base != base) continue;
        if (book.spans[i].size != size) mistake("span size", (void *)base, size, 0);
        book.totals.span_bytes -= book.spans[i].size;
        book.spans[i] = book.spans[--book.span_count];
        break;
    }
    lock_give(&book.lock);
}

const struct heap_observer ledger_observer = {
    .allocated = allocated,
    .freeing = freeing,
    .resized = resized,
    .kept = kept,
    .span_made = span_made,
    .span_gone = span_gone,
};

void ledger_reset(void)
{
    lock_take(&book.lock);
    memset(book.places, 0, sizeof book.places);
    book.totals = (struct ledger_totals){0};
    book.span_count = 0;
    book.site_next = 0;
    book.mistake[0] = '\0';
    lock_give(&book.lock);
}

struct ledger_totals ledger_totals(void)
{
    lock_take(&book.lock);
    struct ledger_totals totals = book.totals;
    lock_give(&book.lock);
    return totals;
}

bool ledger_find(uintptr_t block, struct ledger_entry *entry_out)
{
    lock_take(&book.lock);
    const struct ledger_entry *entry = find(block);
    if (entry) *entry_out = *entry;
    lock_give(&book.lock);
    return entry != NULL;
}

const char *ledger_mistake(void)
{
    return book.mistake;
}
