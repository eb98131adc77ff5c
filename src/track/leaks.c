#include "track/leaks.h"

#include "base/align.h"
#include "base/text.h"
#include "heap/heap.h"
#include "heap/note.h"
#include "heap/resolve.h"
#include "os/descriptor_room.h"
#include "os/error_words.h"
#include "os/own_pages.h"
#include "os/own_stack.h"
#include "os/process.h"
#include "track/block_set.h"
#include "track/leak_counts.h"
#include "track/leak_regions.h"
#include "track/own_code.h"
#include "track/recorder.h"
#include "track/tracked.h"

#include <errno.h>
#include <stdatomic.h>

__thread unsigned leaks_ignoring;
struct block_set leaks_ignored;
struct block_set leaks_inherited;

static struct {
    bool is_wanted;
    _Atomic bool is_ending; // somebody wants to look for the last time: others stay out of the way
    _Atomic bool is_done;   // somebody looks, or has looked, for the last time
    long seccomp_mode;
    struct leaks_options options;
    bool inherits_all;                              // there was no memory to tell which blocks
    struct held_lock look;                          // one looks at a time
    _Atomic uint32_t waiters[STOPPING_WAITERS_MAX]; // threads that wait for it
} state;

struct request {
    const struct preserved_registers *caller;
    const char *suppressions;
    bool is_elsewhere;
    uintptr_t signal_stack;
    bool is_turned_off; // by the program
    enum leaks_moment moment;
    bool is_busy; // another thread looks
    bool is_lost; // something is
};

// One look through the process.
struct search {
    const struct preserved_registers *caller;
    struct stopped_threads threads;
    struct leak_scan scan;
    struct leak_counts counts;
    uint32_t thread_count;
    uint64_t begin_ms;
    uint64_t end_ms;          // when it was over
    const char *suppressions; // the program's
    bool is_elsewhere;        // the caller is on an alternate signal stack
    uintptr_t signal_stack;   // where that is
    const char *what;         // could not be done; NULL: all is well
    uint64_t faults;          // of tasks before it
    int error;
};

static void announce(void)
{
    if (state.is_wanted) recorder.process->leak_state = RECORD_LEAKS_AWAITED;
}

size_t leaks_begin(const struct leaks_options *options)
{
    enum { APART_FROM = 512 }; // a guess: smaller ones seldom have pointers to their end

    state.is_wanted = true;
    state.options = *options;
    state.seccomp_mode = process_seccomp_mode();
    announce();
    return APART_FROM;
}

void leaks_forked(void)
{
    held_lock_reset(&state.look);
    for (size_t i = 0; i < STOPPING_WAITERS_MAX; i++) atomic_store(&state.waiters[i], 0);
    atomic_store(&state.is_ending, false);
    atomic_store(&state.is_done, false);
    state.inherits_all = false;
    block_set_reset(&leaks_inherited);
    announce();
}

void leaks_inherit(uintptr_t start)
{
    if (state.is_wanted && !block_set_add(&leaks_inherited, start)) state.inherits_all = true;
}

static bool is_inherited(uintptr_t start)
{
    return state.inherits_all || block_set_has(&leaks_inherited, start);
}

static bool has_exempt(void)
{
    return state.inherits_all || !block_set_is_unused(&leaks_inherited) ||
           !block_set_is_unused(&leaks_ignored);
}

void leaks_ignore(uintptr_t address)
{
    struct located block;
    uintptr_t start = locate_address(address);
    if (!locate_block(start, &block) || !locate_is_live(&block)) return;
    (void)block_set_add(&leaks_ignored, block.start); // without memory: it is told
}

// --- looking
// -------------------------------------------------------------------------------------

// What is not accused is in use, and what it leads to.
static bool scan_exempt(void *context, const struct heap_block *block)
{
    struct search *self = context;
    if (is_inherited(block->start) || block_set_has(&leaks_ignored, block->start)) {
        leak_scan_word(&self->scan, block->start);
    }
    return true;
}

static void scan_exempt_tracked(void *context, struct tracked_range *range)
{
    struct search *self = context;
    if (range->is_inherited || range->is_ignored) leak_scan_word(&self->scan, range->start);
}

static void count_one(struct search *self, uint32_t site, enum record_leak_kind kind, uint64_t size)
{
    // One that a stopped thread was just making may be known to it in another way; and of what was
    // there before the observation nobody could say whose it is.
    if (site == 0 && kind <= RECORD_LOST_INDIRECT) kind = RECORD_REACHABLE;
    if (kind == RECORD_LOST_INDIRECT) return; // told with who leads to it
    leak_counts_add(&self->counts, site, kind, size);
}

// Of a block, or of what is tracked.
static struct note_of {
    uint32_t site;
    uint64_t size;
} note_of(const struct search *self, uintptr_t handle)
{
    struct located block;
    if (leak_tracked_is(handle)) {
        const size_t index = leak_tracked_index(handle);
        const struct tracked_range *range = tracked_find(self->scan.tracked.all[index].start);
        return range ? (struct note_of){range->site, range->size} : (struct note_of){0};
    }
    if (!locate_block(handle, &block)) return (struct note_of){0};
    const struct note note = note_read(block.span, block.index);
    return (struct note_of){note.site, locate_size(&block) - note.slack};
}

static void count_indirect(void *context, uintptr_t lost, uintptr_t leader)
{
    struct search *self = context;
    const struct note_of note = note_of(self, lost);
    if (note.site == 0) return; // as in count_one()
    leak_counts_add_indirect(&self->counts, note.site, note_of(self, leader).site, note.size);
}

static void scan_region(void *context, uintptr_t start, uintptr_t end)
{
    leak_scan_mapped(context, start, end);
}

static void count_tracked(struct search *self)
{
    const struct leak_tracked *tracked = &self->scan.tracked;
    for (size_t i = 0; i < tracked->count; i++) {
        const struct tracked_range *range = tracked_find(tracked->all[i].start);
        if (!range) continue; // never: nobody tracks meanwhile
        enum record_leak_kind kind = leak_scan_kind_tracked(&self->scan, i);
        if (range->is_ignored) kind = RECORD_IGNORED;
        if (range->is_inherited) kind = RECORD_INHERITED;
        count_one(self, range->site, kind, range->size);
    }
}

static bool count_block(void *context, const struct heap_block *block)
{
    struct search *self = context;
    enum record_leak_kind kind = leak_scan_kind(&self->scan, block->start);
    if (block_set_has(&leaks_ignored, block->start)) kind = RECORD_IGNORED;
    if (is_inherited(block->start)) kind = RECORD_INHERITED;
    count_one(self, block->site, kind, block->size);
    return true;
}

static void fail(struct search *self, const char *what, int error)
{
    self->what = what;
    self->error = error;
}

// While the other threads stand still.
static void look(struct search *self)
{
    const struct memory_reader reader = memory_reader_own();
    const struct leak_process process = {
        .threads = &self->threads,
        .caller = *self->caller,
        .is_caller_initial = process_thread_id() == process_id(),
        .is_caller_elsewhere = self->is_elsewhere,
        .signal_stack = self->signal_stack,
        .own = {own_code.start, own_code.start + own_code.size},
        .argument_offset = state.options.argument_offset,
    };
    if (!leak_scan_begin(&self->scan)) {
        fail(self, "there is no memory for it", -ENOMEM);
        return;
    }
    // Now nobody makes any more.
    self->counts.site_count = record_writer_count(&recorder.writer, RECORD_TABLE_sites);
    int error = leak_roots_scan(&self->scan, &process);
    if (error) fail(self, "its memory could not be looked through", error);
    if (!error) {
        const uintptr_t root = (uintptr_t)&mete_heap_root;
        if (has_exempt()) {
            (void)heap_walk(&reader, root, scan_exempt, self); // our own: it can be read
        }
        tracked_walk(scan_exempt_tracked, self);
        leak_regions_walk(scan_region, &self->scan);
        leak_scan_reach(&self->scan);
        leak_scan_split(&self->scan);
        (void)heap_walk(&reader, root, count_block, self);
        count_tracked(self);
        leak_scan_tell(&self->scan, &(struct leak_teller){count_indirect, self});
    }
    leak_scan_end(&self->scan);
}

static void fail_to_stop(struct search *self, int error)
{
    switch (error) {
    case -ENOENT: fail(self, "it has no /proc", 0); break;
    case -ESRCH: fail(self, "its /proc is another PID namespace's", 0); break;
    case -EBUSY: fail(self, "a thread would not stand still", 0); break;
    case -EAGAIN: fail(self, "its threads made others without end", 0); break;
    case -EMFILE: fail(self, "it has no descriptor left to read /proc with", 0); break;
    default: fail(self, "its threads could not be held still", error); break;
    }
}

static void search(struct search *self)
{
    if (!leak_counts_begin(&self->counts, recorder.writer.tables[RECORD_TABLE_sites].capacity)) {
        fail(self, "there is no memory for it", -ENOMEM);
        return;
    }
    const struct stopping_options avoid = {
        .waiters = state.waiters,
        .avoid_start = own_code.start,
        .avoid_end = own_code.start + own_code.size,
    };
    int error = threads_stop(&self->threads, &avoid);
    if (error) {
        fail_to_stop(self, error);
        return;
    }
    for (size_t i = 0; i < self->threads.count; i++) {
        self->thread_count += !self->threads.threads[i].is_gone;
    }
    look(self);
}

// --- what was found
// ------------------------------------------------------------------------------

static bool write_count(const struct leak_count *count, size_t site, size_t kind, uint32_t leader)
{
    uint32_t index;
    if (count->blocks == 0) return true;
    struct record_leak *row = record_writer_add(&recorder.writer, RECORD_TABLE_leaks, &index);
    if (!row) return false;
    row->site = (uint32_t)site;
    row->kind = (uint32_t)kind;
    row->leader = leader;
    row->blocks = count->blocks;
    row->bytes = count->bytes;
    if (kind <= RECORD_LOST_INDIRECT) {
        recorder.process->lost_blocks += count->blocks;
        recorder.process->lost_bytes += count->bytes;
    }
    return record_writer_publish(&recorder.writer, RECORD_TABLE_leaks);
}

static bool write_counts(struct search *self)
{
    record_writer_cut(&recorder.writer, RECORD_TABLE_leaks, 0);
    recorder.process->lost_blocks = 0;
    recorder.process->lost_bytes = 0;
    struct leak_counts *counts = &self->counts;
    leak_counts_settle(counts, recorder.writer.tables[RECORD_TABLE_leaks].capacity);
    for (size_t i = 0; i < counts->site_count * RECORD_LEAK_KINDS; i++) {
        const size_t site = i / RECORD_LEAK_KINDS;
        if (!write_count(&counts->all[i], site, i % RECORD_LEAK_KINDS, 0)) return false;
    }
    for (size_t i = 0; i < counts->pair_count; i++) {
        const struct leak_pair *pair = &counts->pairs[i];
        if (!write_count(&pair->count, pair->site, RECORD_LOST_INDIRECT, pair->leader)) {
            return false;
        }
    }
    return true;
}

static void refuse(const char *what, int error)
{
    char words[160];
    struct text text = text_in(words, sizeof words);
    text_add(&text, what);
    if (error) {
        text_add(&text, ": ");
        text_add(&text, error_words(-error));
    }
    if (recorder.process->leak_reason.size == 0) {
        recorder.process->leak_reason = recorder_text(words);
    }
    recorder.process->leak_state = RECORD_LEAKS_REFUSED;
}

// Another thread may be held in a handler that interrupted it in there, and not by us.
static bool try_recorder(void)
{
    enum { WAIT_MS = 1000 };
    const uint64_t end_ms = clock_coarse_ms_direct() + WAIT_MS;
    bool is_taken = recorder_try();
    while (!is_taken && clock_coarse_ms_direct() < end_ms) {
        clock_sleep_ms(1);
        is_taken = recorder_try();
    }
    return is_taken;
}

// With the lock.
static void write_locked(struct search *self)
{
    if (!self->what && !write_counts(self)) fail(self, "there is no room in the recording", 0);
    recorder.process->leak_ms = self->end_ms - self->begin_ms;
    recorder.process->leak_threads = self->thread_count;
    // Once: a text is never taken back, and programs may look often.
    if (self->suppressions && recorder.process->suppressions.size == 0) {
        recorder.process->suppressions = recorder_text(self->suppressions);
    }
    if (self->what) {
        refuse(self->what, self->error);
    } else {
        recorder.process->leak_state = RECORD_LEAKS_SCANNED;
    }
}

static void write_found(struct search *self)
{
    if (try_recorder()) {
        write_locked(self);
        recorder_give();
    } else {
        recorder.process->leak_state = RECORD_LEAKS_BUSY;
    }
}

// Before the threads go on, if none of them has the lock: what they find may end the process.
static void end_look(struct search *self, bool is_to_be_written)
{
    const bool is_written = is_to_be_written && recorder_try();
    if (is_written) {
        write_locked(self);
        recorder_give();
    }
    const uint64_t faults = self->faults;
    threads_resume(&self->threads);
    recorder.process->leak_faults += threads_task_faults() - faults;
    if (is_to_be_written && !is_written) write_found(self);
}

static void look_once(struct request *request)
{
    struct search self = {
        .caller = request->caller,
        .suppressions = request->suppressions,
        .is_elsewhere = request->is_elsewhere,
        .signal_stack = request->signal_stack,
        .begin_ms = clock_coarse_ms_direct(),
        .faults = threads_task_faults(),
    };
    struct descriptor_room room;
    descriptor_room_begin(&room);
    if (process_seccomp_mode() != state.seccomp_mode) {
        fail(&self, "it has put itself under a seccomp filter", 0);
    } else if (request->is_turned_off) {
        fail(&self, "the program has turned it off (__lsan_is_turned_off)", 0);
    } else if (!leak_regions_are_whole()) {
        fail(&self, "the program has told of more regions than are known", 0);
    } else {
        heap_finish_helper();
        search(&self);
    }
    self.end_ms = clock_coarse_ms_direct();
    request->is_lost = !self.what && leak_counts_lost(&self.counts) > 0;
    end_look(&self, request->moment != LEAKS_MEANWHILE);
    descriptor_room_end(&room);
    leak_counts_end(&self.counts);
}

// With all signals blocked, so that no handler comes while the lock is held.
static void find(void *context)
{
    struct request *request = context;
    request->is_busy = !held_lock_try(&state.look);
    if (request->is_busy) return;
    const bool is_over = atomic_load(&state.is_done);
    if (request->moment == LEAKS_AT_END) atomic_store(&state.is_done, true);
    if (!is_over) look_once(request);
    held_lock_give(&state.look);
}

void leaks_give_up(void)
{
    if (!state.is_wanted || atomic_load(&state.is_done)) return;
    recorder.process->leak_state = RECORD_LEAKS_BUSY;
}

// Before there was a look.
static void give_up_for(const char *what)
{
    if (atomic_load(&state.is_done)) return;
    if (recorder_try()) {
        refuse(what, 0);
        recorder_give();
    } else {
        leaks_give_up();
    }
}

void leaks_stay(void)
{
    if (!atomic_load(&state.is_done)) announce();
}

// Says that this thread waits for another's look, and needs not leave our code for that. Where, or
// NULL: there is no room.
static _Atomic uint32_t *waiter_begin(void)
{
    for (size_t i = 0; i < STOPPING_WAITERS_MAX; i++) {
        uint32_t none = 0;
        if (atomic_compare_exchange_strong(&state.waiters[i], &none, process_thread_id())) {
            return &state.waiters[i];
        }
    }
    return NULL;
}

bool leaks_find(const struct preserved_registers *caller, enum leaks_moment moment)
{
    enum { RESTS_MAX = 60 * 1000 }; // a minute
    if (!state.is_wanted) return false;
    if (moment == LEAKS_AT_END) atomic_store(&state.is_ending, true);
    if (moment == LEAKS_MEANWHILE && atomic_load(&state.is_ending)) return false;
    // Another thread that ends the process, too, waits for the last look to be over, or its end
    // would come in between.
    if (atomic_load(&state.is_done) && !held_lock_is_taken(&state.look)) return false;
    struct request request = {
        .caller = caller,
        .moment = moment,
    };
    request.is_elsewhere = process_is_on_signal_stack(&request.signal_stack);
    // The program's own functions: they may do anything, and on its own stack.
    request.is_turned_off = state.options.is_turned_off && state.options.is_turned_off();
    if (state.options.suppressions) request.suppressions = state.options.suppressions();
    bool has_run = own_stack_run(find, &request);
    _Atomic uint32_t *place = request.is_busy ? waiter_begin() : NULL;
    for (int i = 0; i < RESTS_MAX && has_run && request.is_busy; i++) {
        clock_sleep_ms(1);
        has_run = own_stack_run(find, &request);
    }
    if (place) atomic_store(place, 0);
    if (!has_run && moment != LEAKS_MEANWHILE) give_up_for("there is no memory for it");
    if (request.is_busy && moment != LEAKS_MEANWHILE) give_up_for("another thread's look goes on");
    return request.is_lost;
}
