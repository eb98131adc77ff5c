#include "track/ledger.h"

#include "heap/note.h"
#include "heap/observer.h"
#include "heap/resolve.h"
#include "os/pages.h"
#include "os/process.h"
#include "os/thread.h"
#include "track/birthmark.h"
#include "track/capture.h"
#include "track/course.h"
#include "track/ledger_thread.h"
#include "track/own_code.h"
#include "track/rule_table.h"
#include "track/sites.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static __thread struct ledger_thread *self;
static __thread bool has_left;     // its end has been: what it still does is shared
static __thread bool is_deaf;      // what it allocates now is not the program's doing
static __thread uintptr_t busy_at; // the stack pointer of who is counting; 0: nobody

static struct {
    bool is_refused;   // a child could not begin its recording
    uintptr_t newborn; // the block whose allocation is a child's first event
} state;

// Nothing is known of what came before.
static void forget(struct ledger_thread *thread)
{
    thread->last_block = NULL;
    thread->node = RECORD_NONE;
    thread->site = SITE_OTHERS;
    look_forget(&thread->look);
}

// What a handler left by siglongjmp had interrupted is over: its locks are free again.
static COLD void abandon(void)
{
    held_lock_abandon(&recorder.lock);
    ledger_thread_abandon();
    course_abandon();
    busy_at = 0;
    if (!self) return;
    recorder_lose(LOSS_LEFT); // may be counted in part
    forget(self);
    memset(&self->calls, 0, sizeof self->calls); // one may be half written
}

// --- threads
// ----------------------------------------------------------------------------------------

// NULL: this thread shares.
static COLD struct ledger_thread *enter_thread(void)
{
    if (has_left) return NULL;
    struct ledger_thread *thread = ledger_thread_take();
    if (thread && !tally_enter(&thread->tally)) {
        ledger_thread_give(thread);
        thread = NULL;
    }
    if (!thread) {
        has_left = true;
        return NULL;
    }
    capture_init(&thread->capture);
    forget(thread);
    self = thread;
    is_deaf = true;      // what libc may need for that is no business of the program's
    thread_watch_exit(); // one that only frees has no heap, which would see to it
    is_deaf = false;
    return thread;
}

static void thread_gone(void)
{
    struct ledger_thread *thread = self;
    has_left = true;
    if (busy_at) abandon(); // pthread_exit() in a handler
    if (!thread) return;
    busy_at = (uintptr_t)__builtin_frame_address(0); // a handler must not wait for our locks
    self = NULL;
    tally_leave(&thread->tally);
    ledger_thread_give(thread);
    busy_at = 0;
}

// --- a forked child
// ---------------------------------------------------------------------------------

// What lived at the fork is the child's too.
static bool inherit_block(void *context, const struct heap_block *block)
{
    struct tally *tally = context;
    if (block->start == state.newborn) return true;
    leaks_inherit(block->start);
    if (block->site == SITE_BEFORE) return true;
    const struct event event = {0, block->site, block->size, block->block_size};
    if (tally_allocation(tally, &event)) {
        tally_inherit(tally, &event);
    } else {
        recorder_lose(LOSS_ROOM);
    }
    return true;
}

// Begins all of a recording, but for a child's sites. 0 or -errno.
static int begin_parts(bool has_sites)
{
    const bool is_fine = mappings_begin() && (has_sites || sites_begin()) && tally_begin();
    if (!is_fine) return recorder.writer.error ? recorder.writer.error : -ENOMEM;
    course_begin();
    return 0;
}

static int begin_with_inherited(void)
{
    int error = begin_parts(true);
    if (error) return error;
    leaks_forked();
    struct ledger_thread *thread = enter_thread();
    struct tally *tally = thread ? &thread->tally : tally_shared();
    const struct memory_reader reader = memory_reader_own();
    return heap_walk(&reader, (uintptr_t)&mete_heap_root, inherit_block, tally);
}

static int reopen(bool is_within)
{
    struct recorder parent;
    int error = recorder_reopen(&parent);
    if (error) return error;
    error = begin_with_inherited();
    recorder_settle(&parent, error == 0, is_within);
    return error;
}

// What the thread that forked knew of its parent's recording.
static void forget_parent(void)
{
    self = NULL;
    has_left = false;
}

static bool begin_alone(uintptr_t here)
{
    ledger_thread_forked();
    forget_parent();
    if (state.is_refused) { // nor had the parent one to go on from
        birthmark_set();
        return false;
    }
    bool is_within = busy_at != 0; // a handler forked
    busy_at = here;
    int error = reopen(is_within);
    birthmark_set();
    state.newborn = 0;
    busy_at = 0;
    if (!error) return true;
    state.is_refused = true;
    self = NULL; // what it has lies in a file that is gone
    mappings_end();
    heap_observe(NULL);
    recorder_refuse(error);
    return false;
}

// The first event of a child, whose parent's recording is not its own. False when it cannot have
// one: then nobody observes any more. Threads that it has already made, without an event, wait.
static COLD bool begin_in_child(uintptr_t here)
{
    is_deaf = true; // a handler that comes meanwhile would meet a half-open recording
    lock_take(birthmark.lock);
    bool has_begun = birthmark_is_set();
    bool is_well = has_begun ? !state.is_refused : begin_alone(here);
    lock_give(birthmark.lock);
    is_deaf = false;
    return is_well;
}

// --- who counts
// -------------------------------------------------------------------------------------

// Whose turn it is to be counted. Between begin and end the thread is busy, and what a handler of
// its own allocates meanwhile is not counted in its rows.
struct turn {
    struct ledger_thread *thread; // NULL: whom all share, and we hold the recorder's lock
    bool is_lost;
    bool is_within; // a handler's, within another turn of the same thread
};

static NOINLINE struct turn turn_begin_slow(uintptr_t here)
{
    if (is_deaf) return (struct turn){.is_lost = true};
    if (!birthmark_is_set() && !begin_in_child(here)) return (struct turn){.is_lost = true};
    if (busy_at && self && look_is_abandoned(&self->look, busy_at)) abandon();
    if (busy_at) {
        bool is_locked = recorder_try();
        if (!is_locked) recorder_lose(LOSS_SIGNAL);
        return (struct turn){.is_lost = !is_locked, .is_within = true};
    }
    busy_at = here;
    struct turn turn = {.thread = self ? self : enter_thread()};
    if (!turn.thread) recorder_take();
    return turn;
}

static NOINLINE void turn_end_slow(const struct turn *turn)
{
    if (!turn->thread && !turn->is_lost) recorder_give();
    if (!turn->is_within) busy_at = 0;
}

// The common case: a thread that has been here before. NULL: another one.
static ALWAYS_INLINE struct ledger_thread *turn_begin(void)
{
    struct ledger_thread *thread = self;
    if (UNLIKELY(!thread || busy_at)) return NULL;
    busy_at = (uintptr_t)__builtin_frame_address(0);
    atomic_signal_fence(memory_order_seq_cst); // a handler of this thread sees us busy
    if (LIKELY(birthmark_is_set())) return thread;
    busy_at = 0; // a handler came before it could see that, and forked: we are the child
    return NULL;
}

static ALWAYS_INLINE void turn_end(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    busy_at = 0;
}

// Within another turn a clock of the program's own, which may allocate, is not asked.
static inline uint64_t turn_now(const struct turn *turn)
{
    if (turn->is_within) return atomic_load_explicit(&course.now_ms, memory_order_relaxed);
    return course_now();
}

// --- the site
// ---------------------------------------------------------------------------------------

static ALWAYS_INLINE uint32_t site_of_stack(struct ledger_thread *thread,
                                            const struct registers *from)
{
    struct capture *capture = &thread->capture;
    capture_take_from(capture, from);
    uint32_t unchanged = capture->unchanged;
    uint32_t node = unchanged > 0 ? capture->nodes[unchanged - 1] : RECORD_NONE;
    for (uint32_t i = unchanged; i < capture->depth; i++) {
        node = recent_calls_find(&thread->calls, node, capture->frames[i].address);
        if (UNLIKELY(node == RECORD_NONE)) return SITE_OTHERS; // no room for it
        capture->nodes[i] = node;
    }
    capture_keep(capture);
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
    if (!birthmark_is_set()) state.newborn = (uintptr_t)it->block;
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

static ALWAYS_INLINE void *allocate(struct span *span, struct allocation it)
{
    it.block_size = span_block_size(span);
    struct ledger_thread *thread = turn_begin();
    uint32_t site;
    if (LIKELY(thread)) {
        const struct event event = {course_now(), site_of_stack(thread, &it.caller), it.size,
                                    it.block_size};
        thread->last_block = it.block;
        site = count(&thread->tally, &event, it.old_size);
        turn_end();
    } else {
        site = allocated_slow(&it);
    }
    note_block(span, it.block, it.size, site);
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
    thread->last_block = NULL;
    event->now_ms = course_now();
    count_free(&thread->tally, event, thread->was_temporary);
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
    .thread_gone = thread_gone,
};

// --- beginning and end
// ------------------------------------------------------------------------------

int ledger_begin(const struct recorder_options *options, const struct leaks_options *leaks)
{
    if (!birthmark_begin()) return -ENOMEM;
    own_code_find();
    int error = recorder_open(options);
    if (error) return error;
    error = begin_parts(false);
    if (error) recorder_drop();
    if (error) return error;
    if (leaks) observer.apart_from = leaks_begin(leaks);
    heap_observe(&observer);
    return 0;
}

// False in one that only shares our memory (vfork), and in a child in which nothing has happened.
static bool is_recording(void)
{
    return birthmark.word && birthmark_is_set() && !state.is_refused && recorder.process &&
           recorder.process->pid == process_id();
}

bool ledger_look_for_leaks(const struct preserved_registers *caller, enum leaks_moment moment)
{
    if (!is_recording()) return false;
    if (busy_at && self && look_is_abandoned(&self->look, busy_at)) abandon();
    if (!busy_at) return leaks_find(caller, moment);
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
    recorder_end(RECORD_RUNNING);
}

void ledger_child_execs(int step)
{
    if (!recorder.process || is_recording()) return;
    __atomic_fetch_add(&recorder.process->execs, (uint32_t)step, __ATOMIC_RELAXED);
}

void ledger_forked(void)
{
    if (!birthmark.word || birthmark_is_set()) return;
    if (busy_at) {
        (void)begin_in_child((uintptr_t)__builtin_frame_address(0));
    } else {
        forget_parent(); // another thread of ours may be the first
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
    if (busy_at) abandon();                          // no handler may call dlclose()
    busy_at = (uintptr_t)__builtin_frame_address(0); // a handler must not wait for our locks
    rule_table_forget();
    sites_forget_code();
    busy_at = 0;
}
