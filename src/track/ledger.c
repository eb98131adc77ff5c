#include "track/ledger.h"

#include "heap/locate.h"
#include "heap/note.h"
#include "heap/observer.h"
#include "os/process.h"
#include "track/beginning.h"
#include "track/own_code.h"
#include "track/rule_table.h"
#include "track/sites.h"
#include "track/tracked.h"
#include "track/turn.h"

#include <errno.h>
#include <stddef.h>

// --- the site
// ---------------------------------------------------------------------------------------

// The innermost node of the stack, whose end and depth the capture says then. False: no room for
// it.
static ALWAYS_INLINE bool find_node(struct ledger_thread *thread, const struct registers *from,
                                    uint32_t *node_out)
{
    struct capture *capture = &thread->capture;
    capture_take_from(capture, from);
    uint32_t unchanged = capture->unchanged;
    uint32_t node = unchanged > 0 ? capture->nodes[unchanged - 1] : RECORD_NONE;
    for (uint32_t i = unchanged; i < capture->depth; i++) {
        node = recent_calls_find(&thread->calls, node, capture->frames[i].address);
        if (UNLIKELY(node == RECORD_NONE)) return false;
        capture->nodes[i] = node;
    }
    capture_keep(capture);
    *node_out = node;
    return true;
}

static ALWAYS_INLINE uint32_t site_of_stack(struct ledger_thread *thread,
                                            const struct registers *from)
{
    const struct capture *capture = &thread->capture;
    uint32_t node;
    if (UNLIKELY(!find_node(thread, from, &node))) return SITE_OTHERS;
    if (node == thread->node && capture->end == thread->end) return thread->site;
    uint32_t site = RECORD_NONE;
    if (LIKELY(capture->end == RECORD_END_COMPLETE)) site = sites_known_site(node);
    if (UNLIKELY(site == RECORD_NONE)) site = sites_find(node, capture->end, capture->depth);
    thread->site = site;
    thread->node = node;
    thread->end = capture->end;
    return site;
}

// --- what the heap tells
// ----------------------------------------------------------------------------

// The size of the block from which realloc goes on; none: an allocation.
#define NO_OLD_SIZE SIZE_MAX

// An allocation, and whose: the registers of malloc's caller, or of one of our own functions.
struct allocation {
    struct registers caller;
    void *block;
    size_t old_size;
    size_t size;
    size_t block_size;
};

// The site for the block's note.
static ALWAYS_INLINE uint32_t count(struct tally *tally, const struct event *event, size_t old_size)
{
    course_look(event->now_ms); // before anything changes: what was until now is the past's
    if (UNLIKELY(!tally_allocation(tally, event))) {
        recorder_lose(LOSS_ROOM);
        return SITE_BEFORE; // nothing is known of it
    }
    if (old_size != NO_OLD_SIZE) tally_resize(tally, event, old_size);
    return event->site;
}

static NOINLINE uint32_t allocated_slow(const struct allocation *it)
{
    beginning_note_newborn(it->block);
    struct turn turn = turn_begin_slow((uintptr_t)__builtin_frame_address(0));
    if (turn.is_lost) return SITE_BEFORE;
    uint32_t site_alone = turn.is_within ? SITE_SIGNAL : SITE_THREAD;
    struct event event = {turn_now(&turn), site_alone, it->size, it->block_size};
    if (turn.thread) {
        event.site = site_of_stack(turn.thread, &it->caller);
        turn.thread->last_block = it->block;
    }
    uint32_t site = count(turn.thread ? &turn.thread->tally : tally_shared(), &event, it->old_size);
    turn_end_slow(&turn);
    return site;
}

static ALWAYS_INLINE void set_phase(struct ledger_thread *thread, enum ledger_phase phase)
{
    atomic_signal_fence(memory_order_seq_cst);
    thread->phase = phase;
    atomic_signal_fence(memory_order_seq_cst);
}

static ALWAYS_INLINE void allocated_in_turn(struct ledger_thread *thread, struct span *span,
                                            const struct allocation *it)
{
    thread->last_block = it->block;
    const struct event event = {course_now(), site_of_stack(thread, &it->caller), it->size,
                                it->block_size};
    note_block(span, it->block, it->size, event.site);
    set_phase(thread, LEDGER_COUNTING);
    const uint32_t site = count(&thread->tally, &event, it->old_size);
    if (UNLIKELY(site != event.site)) note_block(span, it->block, it->size, site);
    set_phase(thread, LEDGER_IDLE);
}

static ALWAYS_INLINE void *allocate(struct span *span, struct allocation it)
{
    it.block_size = span_block_size(span);
    struct ledger_thread *thread = turn_begin();
    if (LIKELY(thread)) {
        allocated_in_turn(thread, span, &it);
        turn_end();
    } else {
        note_block(span, it.block, it.size, allocated_slow(&it));
    }
    if (UNLIKELY(leaks_ignoring)) leaks_ignore((uintptr_t)it.block);
    return it.block;
}

static void *allocated(struct span *span, void *block, size_t size)
{
    return allocate(span, (struct allocation){registers_of_caller(), block, NO_OLD_SIZE, size, 0});
}

static void *resized(struct span *span, void *block, size_t old_size, size_t size)
{
    return allocate(span, (struct allocation){registers_of_caller(), block, old_size, size, 0});
}

static ALWAYS_INLINE void count_free(struct tally *tally, const struct event *event,
                                     bool is_temporary)
{
    course_look(event->now_ms);
    if (UNLIKELY(event->site == SITE_BEFORE)) {
        tally_unseen(tally);
    } else if (UNLIKELY(!tally_free(tally, event, is_temporary))) {
        recorder_lose(LOSS_ROOM);
    }
}

static ALWAYS_INLINE void free_in_turn(struct ledger_thread *thread, const void *block,
                                       struct event *event)
{
    thread->was_temporary = thread->last_block == block;
    event->now_ms = course_now();
    thread->last_block = block;
    set_phase(thread, LEDGER_FREEING);
    count_free(&thread->tally, event, thread->was_temporary);
    set_phase(thread, LEDGER_IDLE);
    thread->last_block = NULL; // or the next at its place would be taken for it
}

static NOINLINE void freeing_slow(const void *block, struct event *event)
{
    struct turn turn = turn_begin_slow((uintptr_t)__builtin_frame_address(0));
    if (turn.is_lost) return;
    if (turn.thread) {
        free_in_turn(turn.thread, block, event);
    } else {
        event->now_ms = turn_now(&turn);
        count_free(tally_shared(), event, false);
    }
    turn_end_slow(&turn);
}

static void freeing(void *block, uint32_t site, size_t size, size_t block_size)
{
    struct event event = {0, site, size, block_size};
    struct ledger_thread *thread = turn_begin();
    if (LIKELY(thread)) {
        free_in_turn(thread, block, &event);
        turn_end();
    } else {
        freeing_slow(block, &event);
    }
    leaks_forget((uintptr_t)block); // last: as a child's first event it was inherited just now
}

static void kept(void *block, uint32_t site, size_t size, size_t block_size)
{
    struct turn turn = turn_begin_slow((uintptr_t)__builtin_frame_address(0));
    if (turn.is_lost) return;
    const struct event event = {turn_now(&turn), site, size, block_size};
    struct ledger_thread *thread = turn.thread;
    bool was_temporary = thread && thread->was_temporary;
    if (site != SITE_BEFORE) {
        tally_keep(thread ? &thread->tally : tally_shared(), &event, was_temporary);
    }
    if (was_temporary) thread->last_block = block;
    turn_end_slow(&turn);
}

static struct heap_observer observer = {
    .allocated = allocated,
    .freeing = freeing,
    .resized = resized,
    .kept = kept,
    .thread_gone = turn_thread_gone,
};

// --- what the program tracks
// ----------------------------------------------------------------------

static uint32_t site_of_tracked(const struct turn *turn, const struct registers *caller,
                                const char *name)
{
    struct ledger_thread *thread = turn->thread;
    if (!thread) return turn->is_within ? SITE_SIGNAL : SITE_THREAD;
    uint32_t node;
    if (!find_node(thread, caller, &node)) return SITE_OTHERS;
    return sites_find_named(node, thread->capture.end, thread->capture.depth, name);
}

static struct tally *tally_of(const struct turn *turn)
{
    return turn->thread ? &turn->thread->tally : tally_shared();
}

// A thread's own turn does not hold the recorder's lock yet.
static void take_tracked(const struct turn *turn)
{
    if (turn->thread) recorder_take();
}

static void give_tracked(const struct turn *turn)
{
    if (turn->thread) recorder_give();
}

static void count_end(const struct turn *turn, uintptr_t start, const struct event *event)
{
    struct ledger_thread *thread = turn->thread;
    const bool is_temporary = thread && (uintptr_t)thread->last_block == start;
    if (thread) thread->last_block = NULL;
    count_free(tally_of(turn), event, is_temporary);
}

// A block of the heap is in the ledger already: it only goes on under the name.
static bool name_block(const struct turn *turn, const struct tracked_range *range, uint64_t now_ms)
{
    struct located block;
    const bool is_block =
        locate_block(range->start, &block) && block.start == range->start && locate_is_live(&block);
    if (!is_block) return false;
    const struct note note = note_read(block.span, block.index);
    const size_t block_size = locate_size(&block);
    struct event event = {now_ms, note.site, block_size - note.slack, block_size};
    if (event.size != range->size) return false; // something within it
    count_free(tally_of(turn), &event, false);
    event.site = range->site;
    const uint32_t site = count(tally_of(turn), &event, NO_OLD_SIZE);
    note_block(span_map_peek(block.start), (const void *)block.start, event.size, site);
    return true;
}

// False: none starts there.
static bool end_tracked(const struct turn *turn, uintptr_t start, uint64_t now_ms)
{
    struct tracked_range was;
    take_tracked(turn);
    const bool is_known = tracked_remove(start, &was);
    give_tracked(turn);
    if (is_known) count_end(turn, start, &(struct event){now_ms, was.site, was.size, was.size});
    return is_known;
}

static void track(const struct turn *turn, struct tracked_range *range)
{
    const struct event event = {turn_now(turn), range->site, range->size, range->size};
    (void)end_tracked(turn, range->start, event.now_ms); // most often there is none
    if (name_block(turn, range, event.now_ms)) return;
    range->site = count(tally_of(turn), &event, NO_OLD_SIZE);
    take_tracked(turn);
    const bool is_kept = tracked_add(range);
    give_tracked(turn);
    if (turn->thread) turn->thread->last_block = (const void *)range->start;
    if (is_kept) return;
    recorder_lose(LOSS_MEMORY);
    count_end(turn, range->start, &event);
}

// Whether it can be memory of the program's: MAP_FAILED and the like are not.
static bool is_memory(const void *memory, size_t size)
{
    const uintptr_t top = (uintptr_t)1 << SPAN_MAP_ADDRESS_BITS;
    return memory && (uintptr_t)memory < top && size <= top - (uintptr_t)memory;
}

void ledger_track(const struct registers *caller, const void *memory, size_t size, const char *name)
{
    if (!is_memory(memory, size)) return;
    if (!heap_observed_by()) return; // it was confined
    struct turn turn = turn_begin_slow((uintptr_t)__builtin_frame_address(0));
    if (turn.is_lost) return;
    struct tracked_range range = {
        .start = (uintptr_t)memory,
        .size = size,
        .site = site_of_tracked(&turn, caller, name ? name : ""),
        .is_ignored = leaks_ignoring > 0,
    };
    track(&turn, &range);
    turn_end_slow(&turn);
}

// Of what is no longer the program's to count: whose end is told of may have begun before us.
static void untrack_unknown(const struct turn *turn, uintptr_t start)
{
    struct located block;
    const bool is_named_block = locate_block(start, &block) && block.start == start;
    if (!is_named_block) tally_unseen(tally_of(turn));
}

void ledger_untrack(const void *memory)
{
    if (!is_memory(memory, 0) || !heap_observed_by()) return;
    struct turn turn = turn_begin_slow((uintptr_t)__builtin_frame_address(0));
    if (turn.is_lost) return;
    const uint64_t now_ms = turn_now(&turn);
    if (!end_tracked(&turn, (uintptr_t)memory, now_ms)) untrack_unknown(&turn, (uintptr_t)memory);
    turn_end_slow(&turn);
}

void ledger_ignore(const void *memory)
{
    if (!heap_observed_by()) return;
    leaks_ignore((uintptr_t)memory);
    struct turn turn = turn_begin_slow((uintptr_t)__builtin_frame_address(0));
    if (turn.is_lost) return;
    take_tracked(&turn);
    struct tracked_range *range = tracked_find((uintptr_t)memory);
    if (range) range->is_ignored = true;
    give_tracked(&turn);
    turn_end_slow(&turn);
}

// --- beginning and end
// ------------------------------------------------------------------------------

int ledger_begin(const struct recorder_options *options, const struct leaks_options *leaks)
{
    if (!birthmark_begin()) return -ENOMEM;
    own_code_find();
    int error = recorder_open(options);
    if (error) return error;
    error = beginning_of_parts();
    if (error) recorder_drop();
    if (error) return error;
    if (leaks) observer.apart_from = leaks_begin(leaks);
    heap_observe(&observer);
    return 0;
}

// False in one that only shares our memory (vfork), and in a child in which nothing has happened.
static bool is_recording(void)
{
    return birthmark.word && birthmark_is_set() && !beginning_is_refused() && recorder.process &&
           recorder.process->pid == process_id();
}

bool ledger_look_for_leaks(const struct preserved_registers *caller, enum leaks_moment moment)
{
    if (!is_recording()) return false;
    turn_abandon_if_left();
    if (!turn_thread.busy_at) return leaks_find(caller, moment);
    if (moment != LEAKS_MEANWHILE)
        leaks_give_up(); // a handler that interrupted us ends the process
    return false;
}

bool ledger_end(enum record_state how, const struct preserved_registers *caller)
{
    if (!is_recording()) return false;
    if (caller) (void)ledger_look_for_leaks(caller, LEAKS_AT_END); // the recording says it
    course_end();
    recorder_end(how);
    return true;
}

void ledger_stay(void)
{
    if (!is_recording()) return; // the child of daemon(), which failed there
    recorder_end(RECORD_RUNNING);
    leaks_stay();
}

void ledger_child_execs(int step)
{
    if (!recorder.process || is_recording()) return;
    __atomic_fetch_add(&recorder.process->execs, (uint32_t)step, __ATOMIC_RELAXED);
}

void ledger_forked(void)
{
    if (!birthmark.word || birthmark_is_set()) return;
    if (turn_thread.busy_at) {
        (void)beginning_in_child((uintptr_t)__builtin_frame_address(0));
    } else {
        turn_forget_parent(); // another thread of ours may be the first
    }
}

void ledger_thread_comes(void)
{
    if (LIKELY(birthmark_is_set())) return;
    struct turn turn = turn_begin_slow((uintptr_t)__builtin_frame_address(0));
    if (!turn.is_lost) turn_end_slow(&turn);
}

void ledger_count_mapping(enum mapping_call call, size_t bytes)
{
    if (LIKELY(!mappings_are_counted())) return;
    ledger_thread_comes();
    mappings_count(call, bytes);
}

void ledger_confine(void)
{
    if (!is_recording()) return;
    heap_observe(NULL);
    mappings_end();
    recorder_lose(LOSS_STRICT);
}

void ledger_code_gone(void)
{
    ledger_thread_comes();
    if (turn_thread.busy_at) turn_abandon(); // no handler may call dlclose()
    turn_thread.busy_at =
        (uintptr_t)__builtin_frame_address(0); // a handler must not wait for our locks
    rule_table_forget();
    sites_forget_code();
    turn_thread.busy_at = 0;
}
