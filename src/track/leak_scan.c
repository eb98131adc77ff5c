#include "track/leak_scan_inside.h"

#include "base/align.h"
#include "heap/resolve.h"
#include "os/own_pages.h"
#include "os/pages.h"
#include "os/process.h"

enum {
    // From here on a block may have pages that were never touched, or that the program has made
    // such (MADV_DONTNEED, guard pages, userfaultfd).
    LARGE_SIZE = PAGE_SIZE,
    // From here on it is asked which pages hold anything: of less it costs more to ask than to read
    // them (perl, 7 000 blocks of 4 KiB: 150 ms for all of the look, and 25 so).
    SPARSE_SIZE = 16 * PAGE_SIZE,
};

enum {
    STACK_SIZE = LEAK_STACK_MAX * sizeof(uintptr_t),
    HOLES_SIZE = LEAK_HOLES_MAX * sizeof(struct leak_range),
    MEMORY_SIZE = STACK_SIZE + LEAK_BUFFER_SIZE + HOLES_SIZE,
};

static void find_bounds(struct leak_scan *self)
{
    span_map_bounds(&self->low, &self->high);
    self->first = self->low;
    self->end = self->high;
    const struct leak_tracked *tracked = &self->tracked;
    for (size_t i = 0; i < tracked->count; i++) {
        const struct leak_range *range = &tracked->all[i];
        if (range->start < self->first || self->end == 0) self->first = range->start;
        if (range->end > self->end) self->end = range->end;
    }
}

bool leak_scan_begin(struct leak_scan *self)
{
    *self = (struct leak_scan){0};
    char *memory = own_pages_map(MEMORY_SIZE);
    if (!memory) return false;
    self->stack = (uintptr_t *)(void *)memory;
    self->room = LEAK_STACK_MAX;
    self->buffer = memory + STACK_SIZE;
    self->holes = (struct leak_range *)(void *)(self->buffer + LEAK_BUFFER_SIZE);
    if (!leak_tracked_begin(&self->tracked)) {
        own_pages_unmap(memory, MEMORY_SIZE);
        return false;
    }
    if (!leak_marks_begin(&self->marks)) {
        leak_tracked_end(&self->tracked);
        own_pages_unmap(memory, MEMORY_SIZE);
        return false;
    }
    find_bounds(self);
    page_contents_open(&self->contents);
    self->reader = memory_reader_process((int)process_id());
    self->memory_fd = memory_open_own();
    return true;
}

void leak_scan_end(struct leak_scan *self)
{
    memory_close_own(self->memory_fd);
    page_contents_close(&self->contents);
    leak_marks_end(&self->marks);
    leak_tracked_end(&self->tracked);
    own_pages_unmap(self->stack, MEMORY_SIZE);
}

// --- words

// The block is in use.
static ALWAYS_INLINE void reach(struct leak_scan *self, const struct leak_block *found,
                                struct leak_cell *cell, uint64_t bit)
{
    uintptr_t start = found->start;
    if (found->is_start) cell->started |= bit;
    if (cell->reached & bit) return;
    cell->reached |= bit;
    leak_scan_push(self, start);
}

static ALWAYS_INLINE void lead_to(struct leak_scan *self, uintptr_t start, struct leak_cell *cell,
                                  uint64_t bit)
{
    if (cell->reached & bit) return;
    bool is_first = leak_scan_come_across(self, start, cell, bit);
    if (UNLIKELY(self->step == LEAK_TELLING)) {
        if (is_first) self->teller.tell(self->teller.context, start, self->leader);
        return;
    }
    if (start == self->leader || (is_first && self->step == LEAK_LEADING)) return;
    self->has_met = self->leader_count > 1;
    cell->direct &= ~bit;
}

static ALWAYS_INLINE void settle_at(struct leak_scan *self, const struct leak_block *found,
                                    struct leak_cell *cell, uint64_t bit)
{
    if (!(cell->live & bit)) return;
    if (self->step == LEAK_REACHING) {
        reach(self, found, cell, bit);
    } else {
        lead_to(self, found->start, cell, bit);
    }
}

static ALWAYS_INLINE void settle(struct leak_scan *self, const struct leak_block *found)
{
    const struct leak_mark mark = leak_marks_of(&self->marks, found->start);
    settle_at(self, found, mark.cell, mark.bit);
}

// What memory is asked for at one step is looked at a few words later, at the next: a word leads to
// what is known of the page, and that to a block's marks.
static ALWAYS_INLINE void blocks_add(struct leak_scan *self, const struct leak_block *found)
{
    struct leak_blocks *ring = &self->blocks;
    if (LIKELY(ring->count == LEAK_SEEN_MAX)) {
        settle(self, &ring->all[ring->first]);
        ring->first = (ring->first + 1) % LEAK_SEEN_MAX;
        ring->count--;
    }
    ring->all[(ring->first + ring->count++) % LEAK_SEEN_MAX] = *found;
}

// The start and size of what the address lies in.
static ALWAYS_INLINE bool locate(const struct leak_scan *self, uintptr_t address,
                                 uintptr_t *start_out, size_t *size_out)
{
    if (LIKELY(leak_marks_find(&self->marks, address, start_out, size_out))) return true;
    struct located block;
    if (!locate_block(address, &block)) return false;
    *start_out = block.start;
    *size_out = locate_size(&block);
    return true;
}

static ALWAYS_INLINE void find_block(struct leak_scan *self, uintptr_t address)
{
    uintptr_t start;
    size_t size;
    if (!locate(self, address, &start, &size)) return;
    __builtin_prefetch(leak_marks_of(&self->marks, start).cell, 1);
    blocks_add(self, &(struct leak_block){start, address == start});
}

static ALWAYS_INLINE bool addresses_add(struct leak_addresses *ring, uintptr_t address,
                                        uintptr_t *oldest_out)
{
    bool is_full = ring->count == LEAK_SEEN_MAX;
    if (LIKELY(is_full)) {
        *oldest_out = ring->all[ring->first];
        ring->all[ring->first] = address;
        ring->first = (ring->first + 1) % LEAK_SEEN_MAX;
    } else {
        ring->all[(ring->first + ring->count++) % LEAK_SEEN_MAX] = address;
    }
    return is_full;
}

// All that the program tracks there.
static NOINLINE void see_tracked(struct leak_scan *self, uintptr_t address)
{
    const struct leak_tracked *tracked = &self->tracked;
    for (size_t at = leak_tracked_before(tracked, address); at > 0; at = tracked->outer[at - 1]) {
        const struct leak_range *range = &tracked->all[at - 1];
        if (address >= range->end) continue;
        const struct leak_block found = {leak_tracked_handle(at - 1), address == range->start};
        settle_at(self, &found, &tracked->cells[(at - 1) / 64], leak_tracked_bit(at - 1));
    }
}

static ALWAYS_INLINE void consider(struct leak_scan *self, uintptr_t word)
{
    uintptr_t address = locate_address(word);
    if (LIKELY(address - self->first >= self->end - self->first)) return;
    if (UNLIKELY(self->tracked.count > 0)) see_tracked(self, address);
    leak_marks_prefetch_page(&self->marks, address);
    uintptr_t oldest;
    if (addresses_add(&self->pages, address, &oldest)) find_block(self, oldest);
}

// Leaves nothing on its way.
static void settle_all(struct leak_scan *self)
{
    for (; self->pages.count > 0; self->pages.count--) {
        find_block(self, self->pages.all[self->pages.first]);
        self->pages.first = (self->pages.first + 1) % LEAK_SEEN_MAX;
    }
    for (; self->blocks.count > 0; self->blocks.count--) {
        settle(self, &self->blocks.all[self->blocks.first]);
        self->blocks.first = (self->blocks.first + 1) % LEAK_SEEN_MAX;
    }
}

void leak_scan_word(struct leak_scan *self, uintptr_t word)
{
    consider(self, word);
}

// --- memory

static void consider_all(struct leak_scan *self, const uintptr_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) consider(self, words[i]);
}

bool leak_scan_read(struct leak_scan *self, uintptr_t start, void *out, size_t size)
{
    // The file first: sandboxes kill for the other way, which no ordinary program has.
    if (memory_read_own(self->memory_fd, start, out, size)) return true;
    return self->memory_fd < 0 && self->reader.read(&self->reader, start, out, size) == 0;
}

// What cannot be read as a whole is read page by page.
static void scan_pages(struct leak_scan *self, uintptr_t start, uintptr_t end)
{
    uintptr_t *buffer = (uintptr_t *)(void *)self->buffer;
    for (uintptr_t at = align_up(start, sizeof(uintptr_t)); at < end;) {
        size_t size = end - at < LEAK_BUFFER_SIZE ? end - at : LEAK_BUFFER_SIZE;
        if (!leak_scan_read(self, at, buffer, size)) {
            uintptr_t page_end = align_down(at, PAGE_SIZE) + PAGE_SIZE;
            if (size > page_end - at) size = page_end - at;
            if (!leak_scan_read(self, at, buffer, size)) size = 0; // a device, a hole: no roots
            if (size == 0) {
                at = page_end;
                continue;
            }
        }
        consider_all(self, buffer, size / sizeof *buffer);
        at += size;
    }
}

void leak_scan_memory(struct leak_scan *self, uintptr_t start, uintptr_t end, bool is_shared)
{
    uintptr_t at = align_up(start, sizeof(uintptr_t));
    bool (*next)(struct page_contents *, uintptr_t, uintptr_t, uintptr_t *, uintptr_t *) =
        is_shared ? page_contents_next_shared : page_contents_next;
    uintptr_t first;
    uintptr_t last;
    while (next(&self->contents, at, end, &first, &last)) {
        scan_pages(self, first, last);
        at = last;
    }
}

uintptr_t leak_scan_closed(struct leak_scan *self, uintptr_t word)
{
    uintptr_t address = locate_address(word);
    struct located block;
    if (!locate_block(address, &block) || !locate_is_live(&block)) return 0;
    const struct leak_mark mark = leak_marks_of(&self->marks, block.start);
    mark.cell->reached |= mark.bit;
    mark.cell->started |= mark.bit;
    mark.cell->scanned |= mark.bit;
    return block.start;
}

// --- blocks

void leak_scan_hole(struct leak_scan *self, uintptr_t start, uintptr_t end)
{
    if (self->hole_count < LEAK_HOLES_MAX) {
        self->holes[self->hole_count] = (struct leak_range){start, end};
    }
    self->hole_count++;
}

// Whether one of them overlaps the block.
static NOINLINE bool has_hole(const struct leak_scan *self, uintptr_t start, size_t size)
{
    if (self->hole_count > LEAK_HOLES_MAX) return true;
    size_t first = 0;
    size_t last = self->hole_count; // those before `first` end before it, those from here on do not
    while (first < last) {
        size_t middle = (first + last) / 2;
        if (self->holes[middle].end <= start) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return first < self->hole_count && self->holes[first].start < start + size;
}

// Calls `scan` for what of [start, end) is not tracked, or lies in no tracked range but the one at
// `owner` (its index plus one) and those around it.
static void scan_around(struct leak_scan *self, uintptr_t start, uintptr_t end, size_t owner,
                        void (*scan)(struct leak_scan *self, uintptr_t start, uintptr_t end))
{
    const struct leak_tracked *tracked = &self->tracked;
    uintptr_t at = start;
    size_t next = owner > 0 ? owner : leak_tracked_before(tracked, start);
    for (size_t i = owner > 0 ? 0 : next; i > 0; i = tracked->outer[i - 1]) {
        if (tracked->all[i - 1].end > at) at = tracked->all[i - 1].end; // it reaches into it
    }
    for (; next < tracked->count && tracked->all[next].start < end; next++) {
        const struct leak_range *range = &tracked->all[next];
        if (range->start > at) scan(self, at, range->start);
        if (range->end > at) at = range->end;
    }
    if (at < end) scan(self, at, end);
}

static void scan_private(struct leak_scan *self, uintptr_t start, uintptr_t end)
{
    if (end - start < SPARSE_SIZE) {
        scan_pages(self, start, end);
    } else {
        leak_scan_memory(self, start, end, false);
    }
}

struct mapped {
    struct leak_scan *scan;
    uintptr_t start;
    uintptr_t end;
};

static bool scan_mapped_part(void *context, const struct memory_region *region)
{
    const struct mapped *self = context;
    uintptr_t start = region->start > self->start ? region->start : self->start;
    uintptr_t end = region->end < self->end ? region->end : self->end;
    if (start < end) leak_scan_memory(self->scan, start, end, region->is_shared);
    return region->end < self->end;
}

void leak_scan_mapped(struct leak_scan *self, uintptr_t start, uintptr_t end)
{
    if (end - start < LARGE_SIZE) {
        scan_pages(self, start, end);
        return;
    }
    struct mapped mapped = {self, start, end};
    (void)memory_map_read(scan_mapped_part, &mapped); // it could be read before
}

// What the program tracks is not ours to load from: it may be gone.
static void scan_tracked(struct leak_scan *self, size_t index)
{
    const struct leak_range *range = &self->tracked.all[index];
    self->tracked.cells[index / 64].scanned ^= leak_tracked_bit(index);
    bool is_plain =
        !self->tracked.is_shared[index] && range->end - range->start < LEAK_TRACKED_PLAIN_MAX;
    scan_around(self, range->start, range->end, index + 1,
                is_plain ? scan_private : leak_scan_mapped);
}

// All of the block, with what was not asked for: programs may use that (malloc_usable_size).
static void scan_block(struct leak_scan *self, uintptr_t start)
{
    uintptr_t begin;
    size_t size;
    if (!locate(self, start, &begin, &size)) return;
    const struct leak_mark mark = leak_marks_of(&self->marks, start);
    mark.cell->scanned ^= mark.bit;
    if (UNLIKELY(self->hole_count > 0) && has_hole(self, start, size)) {
        scan_around(self, start, start + size, 0, scan_pages); // whatever stands there now
    } else if (UNLIKELY(leak_tracked_touches(&self->tracked, start, start + size))) {
        scan_around(self, start, start + size, 0, scan_private);
    } else if (size >= LARGE_SIZE) {
        scan_private(self, start, start + size);
    } else {
        consider_all(self, (const uintptr_t *)start, size / sizeof(uintptr_t));
    }
}

// A block, or something tracked.
static ALWAYS_INLINE void prefetch(struct leak_scan *self, uintptr_t handle)
{
    if (UNLIKELY(leak_tracked_is(handle))) return;
    __builtin_prefetch((const void *)handle);
    __builtin_prefetch((const char *)handle + CACHE_LINE);
    __builtin_prefetch(leak_marks_of(&self->marks, handle).cell, 1);
    leak_marks_prefetch_page(&self->marks, handle);
}

static ALWAYS_INLINE void scan(struct leak_scan *self, uintptr_t handle)
{
    if (UNLIKELY(leak_tracked_is(handle))) {
        scan_tracked(self, leak_tracked_index(handle));
    } else {
        scan_block(self, handle);
    }
}

static ALWAYS_INLINE void read_later(struct leak_scan *self, uintptr_t handle)
{
    prefetch(self, handle);
    self->reading[(self->reading_first + self->reading_count++) % LEAK_READING_MAX] = handle;
}

static ALWAYS_INLINE void scan_oldest(struct leak_scan *self)
{
    uintptr_t handle = self->reading[self->reading_first];
    self->reading_first = (self->reading_first + 1) % LEAK_READING_MAX;
    self->reading_count--;
    scan(self, handle);
}

// Until all that is on the stack, and all that it leads to, has been scanned. Who gives up does so
// when it overflows: then nothing is on it.
static void drain(struct leak_scan *self, bool gives_up)
{
    while (!(gives_up && self->has_overflown)) {
        while (self->reading_count < LEAK_READING_MAX && self->depth > 0) {
            read_later(self, self->stack[--self->depth]);
        }
        if (self->reading_count > 0) {
            scan_oldest(self);
            continue;
        }
        settle_all(self);
        if (self->depth == 0) return;
    }
    settle_all(self);
    self->reading_count = 0;
    self->depth = 0;
}

static void read_and_scan(struct leak_scan *self, uintptr_t handle)
{
    if (self->reading_count == LEAK_READING_MAX) scan_oldest(self);
    read_later(self, handle);
}

// Scans what is to be scanned in the order of addresses: from a stack, where that is much, each
// would come with a page of its own for the processor to find. What it leads to, behind it, is
// found by the same sweep, but of lists that run the other way one block. Whether another is worth
// its way.
static bool sweep(struct leak_scan *self, size_t *last_out)
{
    const size_t last = *last_out;
    size_t cells;
    self->is_sweeping = true;
    const size_t count = *last_out = leak_scan_find_left_over(self, read_and_scan, &cells);
    while (self->reading_count > 0) scan_oldest(self);
    settle_all(self);
    self->is_sweeping = false;
    if (self->only_sweeps) return true;
    return count > cells / 8 && (count > last + last / 2 || count > cells / 4); // measured
}

void leak_scan_all(struct leak_scan *self)
{
    size_t last = 0;
    size_t cells;
    drain(self, true);
    while (self->has_overflown) {
        if (sweep(self, &last)) continue;
        (void)leak_scan_find_left_over(self, leak_scan_push, &cells);
        drain(self, false);
    }
}

void leak_scan_reach(struct leak_scan *self)
{
    settle_all(self);
    leak_scan_all(self);
}
