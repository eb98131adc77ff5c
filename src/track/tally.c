#include "track/tally.h"

#include "base/align.h"
#include "base/float_bits.h"
#include "os/own_pages.h"
#include "os/pages.h"
#include "os/process.h"
#include "track/sites.h"

#include <string.h>

enum { ROWS_KEPT_BACK = 8 }; // one of so many: more than there are threads

#define NOWHERE UINT32_MAX // a slot that is none
static struct {
    struct record_thread thread;
    struct record_row row;
} nowhere;

// Both plus one; 0: none. Private memory beside the recording.
static struct tally_state {
    _Atomic uint32_t *first; // of a site's rows
    _Atomic uint32_t *next;  // of the same site's
    size_t first_size;
    size_t next_size;
    struct tally shared; // slot 0
} state;

static struct record_row *row_at(uint32_t index)
{
    return recorder_row(RECORD_TABLE_rows, index);
}

static size_t links_size(enum record_table table)
{
    return align_up(recorder.writer.tables[table].capacity * sizeof(uint32_t), PAGE_SIZE);
}

static bool begin_shared(void)
{
    state.shared = (struct tally){0};
    struct record_thread *thread =
        record_writer_add(&recorder.writer, RECORD_TABLE_threads, &state.shared.slot);
    if (!thread) return false;
    thread->is_alive = 1; // for good: nobody takes its slot or its rows
    memcpy(thread->name, "(shared)", sizeof "(shared)");
    state.shared.thread = thread;
    record_writer_publish(&recorder.writer, RECORD_TABLE_threads);
    return true;
}

static void unmap(const struct tally_state *self)
{
    if (self->first) own_pages_unmap(self->first, self->first_size);
    if (self->next) own_pages_unmap(self->next, self->next_size);
}

bool tally_begin(enum tally_old old)
{
    const struct tally_state was = state;
    state.first_size = links_size(RECORD_TABLE_sites);
    state.next_size = links_size(RECORD_TABLE_rows);
    state.first = own_pages_map(state.first_size);
    state.next = own_pages_map(state.next_size);
    const bool is_fine = state.first && state.next && begin_shared();
    if (!is_fine) unmap(&state);
    if (is_fine && old == TALLY_OLD_LEFT) unmap(&was);
    if (!is_fine) state = was;
    return is_fine;
}

struct tally *tally_shared(void)
{
    return &state.shared;
}

// --- threads
// ----------------------------------------------------------------------------------------

// The slot of an ended thread, when the table is full.
static struct record_thread *take_left(uint32_t *slot_out)
{
    uint32_t count = record_writer_count(&recorder.writer, RECORD_TABLE_threads);
    for (uint32_t i = 0; i < count; i++) {
        struct record_thread *thread = recorder_row(RECORD_TABLE_threads, i);
        if (thread->is_alive) continue;
        *slot_out = i;
        return thread;
    }
    return NULL;
}

bool tally_enter(struct tally *self)
{
    *self = (struct tally){0};
    recorder_take();
    struct record_thread *thread =
        record_writer_add(&recorder.writer, RECORD_TABLE_threads, &self->slot);
    bool is_new = thread != NULL;
    recorder.process->thread_count++; // also who finds no slot, and asks no more
    if (!thread) thread = take_left(&self->slot);
    if (thread) {
        thread->tid = process_thread_id();
        thread->is_alive = 1;
        process_thread_name((char *)thread->name);
        if (is_new) thread->first_ms = recorder_now_ms();
        self->thread = thread;
    }
    if (is_new && !record_writer_publish(&recorder.writer, RECORD_TABLE_threads)) thread = NULL;
    recorder_give();
    if (thread) course_enter(&self->share);
    return thread != NULL;
}

void tally_leave(struct tally *self)
{
    course_leave(&self->share);
    process_thread_name((char *)self->thread->name);
    // The lock: who takes the slot or its rows over sees all that was written.
    recorder_take();
    self->thread->is_alive = 0;
    index_drop(&self->rows); // others map memory under the same lock
    recorder_give();
}

void tally_redirect(struct tally *self, const struct tally *other)
{
    self->rows = (struct index){.table = NULL}; // not dropped: perhaps it was being read
    self->share = (struct course_share){
        .is_first = other && other->share.is_first,
        .is_nobodys = !other,
    };
    self->slot = other ? other->slot : NOWHERE;
    self->thread = other ? other->thread : &nowhere.thread;
}

// --- rows
// -------------------------------------------------------------------------------------------

static bool is_left(const struct record_row *row)
{
    const struct record_thread *thread = recorder_row(RECORD_TABLE_threads, row->thread);
    return !thread->is_alive;
}

// A row of the site that is ours already or that somebody has left.
static uint32_t find_row(const struct tally *self, uint32_t site)
{
    uint32_t found = 0;
    for (uint32_t i = atomic_load_explicit(&state.first[site], memory_order_acquire); i;
         i = atomic_load_explicit(&state.next[i - 1], memory_order_acquire)) {
        if (row_at(i - 1)->site != site) continue; // never, but in a child of a handler's
        if (row_at(i - 1)->thread == self->slot) return i;
        if (!found && is_left(row_at(i - 1))) found = i;
    }
    return found;
}

// At the chain's end, so that the first row stays the first thread's.
static void chain(_Atomic uint32_t *link, _Atomic uint32_t *next, uint32_t row)
{
    for (uint32_t i; (i = atomic_load_explicit(link, memory_order_relaxed)) != 0;) {
        link = &next[i - 1];
    }
    // release: whoever follows the link finds the row
    atomic_store_explicit(link, row + 1, memory_order_release);
}

static struct record_row *add_row(const struct tally *self, uint32_t site, uint64_t now_ms,
                                  uint32_t *index_out)
{
    // Before the row: what an interrupted one adds, it does not chain in a child of its handler's.
    _Atomic uint32_t *first = state.first;
    _Atomic uint32_t *next = state.next;
    atomic_signal_fence(memory_order_seq_cst);
    struct record_row *row = record_writer_add(&recorder.writer, RECORD_TABLE_rows, index_out);
    if (!row || self->slot >= record_writer_count(&recorder.writer, RECORD_TABLE_threads)) {
        return NULL; // the slot is none: the thread's parent had it, and was interrupted
    }
    uint32_t epoch = atomic_load_explicit(&course.epoch, memory_order_relaxed);
    row->site = site;
    row->thread = self->slot;
    row->first_ms = now_ms;
    row->peak_count = atomic_load_explicit(&course.peak_count, memory_order_relaxed);
    row->interval_shift = (uint8_t)(epoch >> 8);
    row->snapshots = (uint8_t)epoch; // nothing was live in them
    if (!record_writer_publish(&recorder.writer, RECORD_TABLE_rows)) return NULL;
    chain(&first[site], next, *index_out);
    return row;
}

// The last rows are for the site "others" of each thread.
static bool rows_are_short(void)
{
    const uint32_t capacity = recorder.writer.tables[RECORD_TABLE_rows].capacity;
    const uint32_t count = record_writer_count(&recorder.writer, RECORD_TABLE_rows);
    return count >= capacity - capacity / ROWS_KEPT_BACK;
}

// The row of that site alone, or 0. With the lock.
static uint32_t claim_row_of(struct tally *self, uint32_t site, uint64_t now_ms)
{
    uint32_t index = find_row(self, site);
    if (index) {
        // Whose rows these were has ended; others look without the lock whether it is theirs.
        __atomic_store_n(&row_at(index - 1)->thread, self->slot, __ATOMIC_RELAXED);
        return index;
    }
    if (site != SITE_OTHERS && rows_are_short()) return 0;
    uint32_t added;
    return add_row(self, site, now_ms, &added) ? added + 1 : 0;
}

// The same, or one of the site "others": what is freed is looked for by the same way.
static uint32_t claim_row(struct tally *self, uint32_t site, uint64_t now_ms)
{
    uint32_t row = claim_row_of(self, site, now_ms);
    return row ? row : claim_row_of(self, SITE_OTHERS, now_ms);
}

static NOINLINE struct record_row *row_slow(struct tally *self, uint32_t site, uint64_t now_ms)
{
    if (self->slot == NOWHERE) return &nowhere.row;
    if (self == &state.shared) { // who calls has the lock
        uint32_t row = claim_row(self, site, now_ms);
        return row ? row_at(row - 1) : NULL;
    }
    uint32_t known = index_find(&self->rows, site, 0);
    if (known != (uint32_t)INDEX_NONE) return row_at(known);
    recorder_take();
    uint32_t row = claim_row(self, site, now_ms);
    // Without memory for it we look again next time.
    if (row && atomic_load_explicit(&state.first[site], memory_order_relaxed) != row) {
        (void)index_add_alone(&self->rows, site, 0, row - 1);
    }
    recorder_give();
    return row ? row_at(row - 1) : NULL;
}

// --- what rows say of the past
// ----------------------------------------------------------------------

static int64_t row_bytes(const struct record_row *row)
{
    return (int64_t)(row->bytes_allocated - row->bytes_freed);
}

// The epoch's snapshots are never more than there is room for: course_tick() halves them first.
static COLD void row_catch_up(struct record_row *row, uint32_t epoch)
{
    for (; row->interval_shift < epoch >> 8; row->interval_shift++) {
        row->snapshots /= 2; // a last odd one's interval is not over: nothing has changed in it
        for (uint32_t i = 0; i < row->snapshots; i++) {
            row->live_over_time[i] = row->live_over_time[2 * i + 1];
        }
    }
    uint8_t snapshots = (uint8_t)epoch;
    while (row->snapshots < snapshots) {
        const uint32_t bits = float_bits(row_bytes(row));
        memcpy(&row->live_over_time[row->snapshots++], &bits, sizeof bits);
    }
}

static inline void row_note_peak(struct record_row *row)
{
    uint32_t peaks = atomic_load_explicit(&course.peak_count, memory_order_relaxed);
    if (row->peak_count == peaks) return;
    row->at_peak_bytes = row_bytes(row);
    row->at_peak_blocks = (int64_t)(row->allocations - row->frees);
    row->at_peak_wasted = (int64_t)(row->wasted_allocated - row->wasted_freed);
    row->peak_count = peaks; // last: until then what is live counts
}

// The thread's row of the event's site, which has noted what was until now. NULL without room.
static inline struct record_row *row_of(struct tally *self, const struct event *event)
{
    uint32_t first = atomic_load_explicit(&state.first[event->site], memory_order_acquire);
    struct record_row *row = LIKELY(first) ? row_at(first - 1) : NULL;
    if (UNLIKELY(!row || __atomic_load_n(&row->thread, __ATOMIC_RELAXED) != self->slot)) {
        row = row_slow(self, event->site, event->now_ms);
        if (UNLIKELY(!row)) return NULL;
    }
    uint32_t epoch = atomic_load_explicit(&course.epoch, memory_order_relaxed);
    if (UNLIKELY(course_epoch(row->interval_shift, row->snapshots) != epoch)) {
        row_catch_up(row, epoch);
    }
    row_note_peak(row);
    return row;
}

// --- events
// -----------------------------------------------------------------------------------------

// Bucket i holds sizes up to 16 << i.
static unsigned size_bucket(uint64_t size)
{
    if (size <= 16) return 0;
    unsigned bucket = log2_floor(size - 1) - 3;
    return bucket < RECORD_SIZE_BUCKETS ? bucket : RECORD_SIZE_BUCKETS - 1;
}

static inline void add_live(struct tally *self, const struct event *event, int64_t sign)
{
    int64_t bytes = sign * (int64_t)event->size;
    if (UNLIKELY(self == &state.shared)) {
        course_add_bare(event->now_ms, bytes, sign);
    } else {
        course_add(&self->share, event->now_ms, bytes, sign);
    }
}

bool tally_allocation(struct tally *self, const struct event *event)
{
    struct record_row *row = row_of(self, event);
    if (UNLIKELY(!row)) return false;
    uint64_t waste = event->block_size - event->size;
    if (row->allocations++ == 0 || event->size < row->size_min) row->size_min = event->size;
    if (event->size > row->size_max) row->size_max = event->size;
    row->wasted_allocated += waste;
    row->bytes_allocated += event->size;
    row->sizes[size_bucket(event->size)]++;
    row->last_ms = event->now_ms;
    if (row_bytes(row) > row->peak_bytes) row->peak_bytes = row_bytes(row);
    struct record_thread *thread = self->thread;
    // Others sum it up meanwhile: no locked instruction, but one store.
    __atomic_store_n(&thread->allocations, thread->allocations + 1, __ATOMIC_RELAXED);
    thread->bytes_allocated += event->size;
    thread->wasted_allocated += waste;
    thread->last_ms = event->now_ms;
    add_live(self, event, 1);
    return true;
}

bool tally_free(struct tally *self, const struct event *event, bool is_temporary)
{
    // Before the row is looked at: it notes what it held at the peak.
    course_look_at_peak(&self->share, self->thread->last_ms);
    struct record_row *row = row_of(self, event);
    if (UNLIKELY(!row)) return false;
    uint64_t waste = event->block_size - event->size;
    row->frees++;
    row->bytes_freed += event->size;
    row->wasted_freed += waste;
    if (UNLIKELY(is_temporary)) row->temporary++;
    struct record_thread *thread = self->thread;
    thread->frees++;
    thread->bytes_freed += event->size;
    thread->wasted_freed += waste;
    thread->temporary += is_temporary;
    add_live(self, event, -1);
    return true;
}

void tally_keep(struct tally *self, const struct event *event, bool is_temporary)
{
    struct record_row *row = row_of(self, event);
    if (UNLIKELY(!row)) return;
    uint64_t waste = event->block_size - event->size;
    row->frees--;
    row->bytes_freed -= event->size;
    row->wasted_freed -= waste;
    self->thread->frees--;
    self->thread->bytes_freed -= event->size;
    self->thread->wasted_freed -= waste;
    row->temporary -= is_temporary;
    self->thread->temporary -= is_temporary;
    add_live(self, event, 1);
}

void tally_resize(struct tally *self, const struct event *event, uint64_t old_size)
{
    struct record_row *row = row_of(self, event);
    if (UNLIKELY(!row)) return;
    int64_t step = (int64_t)(event->size - old_size);
    if (row->reallocations++ == 0 || step < row->step_min) row->step_min = step;
    if (row->reallocations == 1 || step > row->step_max) row->step_max = step;
    self->thread->reallocations++;
}

void tally_inherit(struct tally *self, const struct event *event)
{
    struct record_row *row = row_of(self, event);
    if (!row) return;
    row->inherited++;
    row->inherited_bytes += event->size;
}

void tally_unseen(struct tally *self)
{
    self->thread->frees_unseen++;
}
