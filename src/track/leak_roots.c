#include "track/leak_roots.h"

#include "base/align.h"
#include "os/code.h"
#include "os/kernel_words.h"
#include "os/own_pages.h"
#include "os/pages.h"
#include "os/stack_bounds.h"

#include <errno.h>

enum {
    REGIONS_MIN = 1024,      // more than come between two readings
    RED_ZONE = 128,          // below the stack pointer, a function's own (ABI)
    BLOCK_ALIGN = 64,        // of libc's thread blocks
    BLOCK_SELF = 0,          // words of it that hold its own address (ABI and libc)
    BLOCK_DTV = 1,           // the thread's dynamic TLS: see scan_dead_block()
    BLOCK_SELF_AGAIN = 2,    // its own address once more
    DTV_WORDS_MAX = 1 << 16, // a guess: 32 K modules with TLS
};

struct ranges {
    struct leak_range *all; // in address order once they are sorted
    size_t count;
    size_t capacity;
};

struct roots {
    struct leak_scan *scan;
    const struct leak_process *process;
    struct memory_region *regions;
    size_t region_count;
    size_t region_capacity;
    struct ranges left_out;
    size_t heap_count;  // the first of them: the heap's
    struct ranges dead; // stacks of ended threads
    void *memory;
    size_t memory_size;
};

// --- ranges
// --------------------------------------------------------------------------------------

static void ranges_add(struct ranges *self, uintptr_t start, uintptr_t end)
{
    // Past the capacity it counts, and is then refused as a whole.
    if (self->count < self->capacity) self->all[self->count] = (struct leak_range){start, end};
    self->count++;
}

// False: there was no room for all.
static bool ranges_join(struct ranges *self, const struct ranges *other)
{
    if (other->count > other->capacity) return false;
    for (size_t i = 0; i < other->count; i++) {
        ranges_add(self, other->all[i].start, other->all[i].end);
    }
    return self->count <= self->capacity;
}

// In address order, apart from each other.
static void ranges_settle(struct ranges *self)
{
    leak_ranges_sort(self->all, self->count);
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        const struct leak_range range = self->all[i];
        if (kept > 0 && range.start <= self->all[kept - 1].end) {
            if (range.end > self->all[kept - 1].end) self->all[kept - 1].end = range.end;
        } else {
            self->all[kept++] = range;
        }
    }
    self->count = kept;
}

static void leave_out_heap(struct roots *self)
{
    struct ranges *ranges = &self->left_out;
    struct leak_range run = {0};
    for (const struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        if (span->base == run.end) {
            run.end += span->size;
            continue;
        }
        if (run.end) ranges_add(ranges, run.start, run.end);
        run = (struct leak_range){span->base, span->base + span->size};
    }
    if (run.end) ranges_add(ranges, run.start, run.end);
    self->heap_count = ranges->count;
}

// What is tracked there: code may reach it without a pointer.
static void hold_tracked(struct roots *self, uintptr_t start, uintptr_t end)
{
    const struct leak_tracked *tracked = &self->scan->tracked;
    if (tracked->count == 0 || start >= end) return;
    size_t first = leak_tracked_before(tracked, start);
    leak_scan_word(self->scan, start); // and all that reach into it
    for (size_t i = first; i < tracked->count && tracked->all[i].start < end; i++) {
        leak_scan_word(self->scan, tracked->all[i].start);
    }
}

// Variables of modules.
static void hold_static(struct roots *self)
{
    const struct leak_tracked *tracked = &self->scan->tracked;
    size_t region = 0;
    size_t known = SIZE_MAX; // the region of which it is known
    bool is_static = false;
    for (size_t i = 0; i < tracked->count; i++) {
        const uintptr_t start = tracked->all[i].start;
        while (region < self->region_count && self->regions[region].end <= start) region++;
        if (region != known) {
            struct code_module module;
            is_static = code_locate(start, &module);
            known = region;
        }
        if (is_static) leak_scan_word(self->scan, start);
    }
}

// What the program tracks counts when something leads to it.
static void leave_out_tracked(struct roots *self)
{
    struct leak_tracked *tracked = &self->scan->tracked;
    size_t region = 0;
    for (size_t i = 0; i < tracked->count; i++) {
        const struct leak_range *range = &tracked->all[i];
        ranges_add(&self->left_out, range->start, range->end);
        while (region < self->region_count && self->regions[region].end <= range->start) region++;
        for (size_t j = region; j < self->region_count; j++) {
            if (self->regions[j].start >= range->end) break;
            tracked->is_shared[i] |= self->regions[j].is_shared;
        }
    }
}

static void leave_out_own(struct roots *self)
{
    ranges_add(&self->left_out, self->process->own.start, self->process->own.end);
    for (size_t i = 0; i < OWN_PAGES_MAX; i++) {
        uintptr_t start;
        uintptr_t end;
        if (own_pages_at(i, &start, &end)) ranges_add(&self->left_out, start, end);
    }
}

// --- regions
// -------------------------------------------------------------------------------------

static bool count_region(void *context, const struct memory_region *region)
{
    (void)region;
    ++*(size_t *)context;
    return true;
}

static bool add_region(void *context, const struct memory_region *region)
{
    struct roots *self = context;
    if (self->region_count == self->region_capacity) return false;
    self->regions[self->region_count++] = *region;
    return true;
}

static int begin(struct roots *self)
{
    size_t count = 0;
    int error = memory_map_read(count_region, &count);
    if (error) return error;
    // What is mapped until the second reading is ours. The heap's spans lie in regions, but not
    // side by side where it has given memory back.
    self->region_capacity = count + REGIONS_MIN;
    self->dead.capacity = count + REGIONS_MIN; // each has a region, or a guard beside it
    self->left_out.capacity = 16 * count + 2 * self->process->threads->count + 2 * OWN_PAGES_MAX +
                              self->dead.capacity + self->scan->tracked.count;
    size_t regions_size = align_up(self->region_capacity * sizeof *self->regions, PAGE_SIZE);
    size_t range_count = self->left_out.capacity + self->dead.capacity;
    self->memory_size = regions_size + align_up(range_count * sizeof(struct leak_range), PAGE_SIZE);
    char *memory = own_pages_map(self->memory_size);
    if (!memory) return -ENOMEM;
    self->memory = memory;
    self->regions = (void *)memory;
    self->left_out.all = (void *)(memory + regions_size);
    self->dead.all = self->left_out.all + self->left_out.capacity;
    error = memory_map_read(add_region, self);
    if (!error && self->region_count == self->region_capacity) error = -EAGAIN;
    if (error) own_pages_unmap(self->memory, self->memory_size);
    return error;
}

// Marks where the program has changed what the heap had mapped.
static void find_holes(struct roots *self)
{
    const struct ranges *ranges = &self->left_out;
    size_t region = 0;
    for (size_t i = 0; i < self->heap_count; i++) {
        const struct leak_range *run = &ranges->all[i];
        uintptr_t at = run->start;
        while (region < self->region_count && self->regions[region].end <= at) region++;
        for (size_t j = region; at < run->end; j++) {
            const struct memory_region *one = j < self->region_count ? &self->regions[j] : NULL;
            uintptr_t start = one && one->start < run->end ? one->start : run->end;
            if (start > at) leak_scan_hole(self->scan, at, start);
            if (start == run->end) break;
            bool is_plain = one->is_readable && !one->is_shared && one->is_anonymous;
            if (!is_plain) leak_scan_hole(self->scan, start, one->end);
            at = one->end;
        }
    }
}

static const struct memory_region *find_region(const struct roots *self, uintptr_t address)
{
    for (size_t i = 0; i < self->region_count; i++) {
        const struct memory_region *region = &self->regions[i];
        if (address < region->end) return address >= region->start ? region : NULL;
    }
    return NULL;
}

// --- threads
// -------------------------------------------------------------------------------------

// Whether a thread runs on the stack there: one that borrows another's, or has none of libc's.
static bool is_run_on(const struct leak_process *process, uintptr_t start, uintptr_t end)
{
    if (process->caller.sp - start < end - start) return true;
    for (size_t i = 0; i < process->threads->count; i++) {
        const struct stopped_thread *thread = &process->threads->threads[i];
        if (!thread->is_gone && thread->sp - start < end - start) return true;
    }
    return false;
}

// The stack that the thread block at `block` stands on. False: nothing is known of it.
static bool find_bounds(struct roots *self, uintptr_t block, struct stack_bounds *bounds_out,
                        bool *has_guard_out)
{
    uintptr_t words[STACK_BOUNDS_WORDS];
    return leak_scan_read(self->scan, block, words, sizeof words) &&
           stack_bounds_of_block(block, words, bounds_out, has_guard_out);
}

// The part of a thread's stack below its stack pointer is dead. When it runs on another one (a
// coroutine's, an alternate one), nothing is known of how far its own is used.
static void leave_out_dead_part(struct roots *self, uintptr_t block, uintptr_t sp, bool is_initial)
{
    struct stack_bounds bounds;
    uintptr_t live = align_down(sp - RED_ZONE, sizeof(uintptr_t));
    // The stack may be tracked: then all of it counts; and so may parts of it, or of static TLS.
    if (self->scan->tracked.count > 0) leak_scan_word(self->scan, sp);
    const struct memory_region *of_block = find_region(self, block);
    if (of_block && is_initial) hold_tracked(self, of_block->start, of_block->end);
    bool has_guard;
    // One that is just beginning has no block yet, and its maker's.
    bool is_known = !is_initial && find_bounds(self, block, &bounds, &has_guard);
    if (is_initial) {
        const struct memory_region *region = find_region(self, sp);
        is_known = region && region->is_initial_stack;
        if (is_known) bounds = (struct stack_bounds){region->start, region->end};
    }
    if (is_known && stack_bounds_hold(&bounds, live) &&
        !is_run_on(self->process, bounds.low, live)) {
        ranges_add(&self->left_out, bounds.low, live);
        hold_tracked(self, live, bounds.high);
    } else {
        leak_scan_word(self->scan, sp); // it may be a block
    }
}

static void scan_threads(struct roots *self)
{
    const struct leak_process *process = self->process;
    const struct preserved_registers *caller = &process->caller;
    leak_scan_word(self->scan, process->signal_stack);
    for (size_t i = 0; i < REGISTERS_PRESERVED; i++) leak_scan_word(self->scan, caller->words[i]);
    if (!process->is_caller_elsewhere) {
        leave_out_dead_part(self, caller->block, caller->sp, process->is_caller_initial);
    } else {
        leak_scan_word(self->scan, caller->sp);
    }
    for (size_t i = 0; i < process->threads->count; i++) {
        const struct stopped_thread *thread = &process->threads->threads[i];
        if (thread->is_gone) continue;
        const uint64_t *words = &process->threads->words[thread->first_word];
        for (size_t j = 0; j < thread->word_count; j++) leak_scan_word(self->scan, words[j]);
        leave_out_dead_part(self, thread->block, thread->sp, thread->is_initial);
    }
}

static bool is_alive(const struct leak_process *process, uintptr_t block)
{
    if (block == process->caller.block) return true;
    for (size_t i = 0; i < process->threads->count; i++) {
        const struct stopped_thread *thread = &process->threads->threads[i];
        if (!thread->is_gone && thread->block == block) return true;
    }
    return false;
}

// What libc allocated for the thread's dynamic TLS goes with its stack to the next thread, with
// whatever the ended one left in it.
static void scan_dead_tls(struct roots *self, uintptr_t dtv)
{
    uintptr_t table = leak_scan_closed(self->scan, dtv);
    if (!table) return;
    struct located block;
    if (!locate_block(table, &block)) return;
    size_t count = locate_size(&block) / sizeof(uintptr_t);
    for (size_t i = 0; i < count && i < DTV_WORDS_MAX; i++) {
        uintptr_t word;
        if (!leak_scan_read(self->scan, table + i * sizeof word, &word, sizeof word)) return;
        (void)leak_scan_closed(self->scan, word);
    }
}

// An ended thread's block: what it returned may still be asked for by pthread_join(). What it was
// given is nobody's any more.
static void scan_dead_block(struct roots *self, uintptr_t block, uintptr_t end)
{
    uintptr_t words[512];
    size_t size = end - block < sizeof words ? end - block : sizeof words;
    if (!leak_scan_read(self->scan, block, words, size)) return;
    scan_dead_tls(self, words[BLOCK_DTV]);
    for (size_t i = 0; i < size / sizeof *words; i++) {
        if (i == BLOCK_DTV || i * sizeof *words == self->process->argument_offset) continue;
        leak_scan_word(self->scan, words[i]);
    }
}

// The thread blocks among the words of a piece of memory, which stood at `start`.
static void find_dead_blocks(struct roots *self, uintptr_t start, const uintptr_t *words,
                             size_t size)
{
    uintptr_t first = align_up(start, BLOCK_ALIGN);
    for (uintptr_t at = first; at + BLOCK_ALIGN <= start + size; at += BLOCK_ALIGN) {
        const uintptr_t *block = &words[(at - start) / sizeof *words];
        if (block[BLOCK_SELF] != at || block[BLOCK_SELF_AGAIN] != at) continue;
        struct stack_bounds bounds;
        // A stack that the program made may be anything by now.
        bool has_guard;
        if (is_alive(self->process, at) || !find_bounds(self, at, &bounds, &has_guard)) continue;
        if (!has_guard || is_run_on(self->process, bounds.low, bounds.high)) continue;
        ranges_add(&self->dead, bounds.low, bounds.high);
        scan_dead_block(self, at, bounds.high);
    }
}

// --- all memory
// ----------------------------------------------------------------------------------

// Calls `see` for each piece of the region that is not left out.
static void for_each_piece(struct roots *self, const struct memory_region *region, size_t *next,
                           void (*see)(struct roots *self, const struct memory_region *region,
                                       uintptr_t start, uintptr_t end))
{
    const struct ranges *ranges = &self->left_out;
    uintptr_t at = region->start;
    while (*next > 0 && ranges->all[*next - 1].end > at) --*next; // one may reach into several
    for (size_t i = *next; i < ranges->count && ranges->all[i].start < region->end; i++) {
        const struct leak_range *range = &ranges->all[i];
        if (range->start > at) see(self, region, at, range->start);
        if (range->end > at) at = range->end;
        *next = i + 1;
    }
    if (at < region->end) see(self, region, at, region->end);
}

static void look_for_dead_stacks(struct roots *self, const struct memory_region *region,
                                 uintptr_t start, uintptr_t end)
{
    (void)region;
    struct leak_scan *scan = self->scan;
    uintptr_t first;
    uintptr_t last;
    for (uintptr_t at = start; page_contents_next(&scan->contents, at, end, &first, &last);) {
        at = last - first > LEAK_BUFFER_SIZE ? first + LEAK_BUFFER_SIZE : last;
        uintptr_t *words = (uintptr_t *)(void *)scan->buffer;
        if (leak_scan_read(scan, first, words, at - first)) {
            find_dead_blocks(self, first, words, at - first);
        }
    }
}

static void scan_piece(struct roots *self, const struct memory_region *region, uintptr_t start,
                       uintptr_t end)
{
    leak_scan_memory(self->scan, start, end, region->is_shared);
}

static void find_dead_stacks(struct roots *self)
{
    size_t next = 0;
    for (size_t i = 0; i < self->region_count; i++) {
        const struct memory_region *region = &self->regions[i];
        bool may_be = region->is_readable && region->is_writable && region->is_anonymous &&
                      !region->is_shared && !region->is_initial_stack;
        if (may_be) for_each_piece(self, region, &next, look_for_dead_stacks);
    }
}

static void scan_regions(struct roots *self)
{
    size_t next = 0;
    for (size_t i = 0; i < self->region_count; i++) {
        const struct memory_region *region = &self->regions[i];
        // A file's code is no data, also where a debugger's breakpoints make its pages our own.
        bool is_code = region->is_executable && !region->is_writable && !region->is_anonymous;
        if (is_code && !region->is_shared) continue;
        // A file that is shared and read-only is somebody else's to write.
        if (!region->is_shared || region->is_writable || region->is_memory) {
            for_each_piece(self, region, &next, scan_piece);
        }
    }
}

static void see_word(void *context, uintptr_t word)
{
    leak_scan_word(context, word);
}

int leak_roots_scan(struct leak_scan *scan, const struct leak_process *process)
{
    struct roots self = {.scan = scan, .process = process};
    int error = begin(&self);
    if (error) return error;
    leave_out_heap(&self);
    if (self.left_out.count <= self.left_out.capacity) find_holes(&self);
    leave_out_tracked(&self);
    hold_static(&self);
    leave_out_own(&self);
    scan_threads(&self);
    kernel_words_read(see_word, scan);
    bool is_whole = self.left_out.count <= self.left_out.capacity;
    if (is_whole) {
        ranges_settle(&self.left_out);
        find_dead_stacks(&self);
        is_whole = ranges_join(&self.left_out, &self.dead);
    }
    if (is_whole) {
        ranges_settle(&self.left_out);
        scan_regions(&self);
    }
    own_pages_unmap(self.memory, self.memory_size);
    return is_whole ? 0 : -EAGAIN;
}
