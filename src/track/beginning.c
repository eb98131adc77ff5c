#include "track/beginning.h"

#include "heap/observer.h"
#include "heap/resolve.h"
#include "os/own_stack.h"
#include "track/birthmark.h"
#include "track/course.h"
#include "track/leaks.h"
#include "track/mappings.h"
#include "track/recorder.h"
#include "track/sites.h"
#include "track/tracked.h"
#include "track/turn.h"

#include <errno.h>

static struct {
    bool is_refused;   // a child could not begin its recording
    uintptr_t newborn; // the block whose allocation is a child's first event
    uintptr_t apart;   // the block whose count its parent was in, and which it does not inherit
    uintptr_t unborn;  // the same where it has no note yet
} state;

// What lived at the fork is the child's too.
static void inherit(struct tally *tally, const struct event *event)
{
    if (event->site == SITE_BEFORE) return;
    if (tally_allocation(tally, event)) {
        tally_inherit(tally, event);
    } else {
        recorder_lose(LOSS_ROOM);
    }
}

static bool inherit_block(void *context, const struct heap_block *block)
{
    struct tally *tally = context;
    if (block->start == state.newborn || block->start == state.apart) return true;
    if (block->start == state.unborn && block->site == SITE_BEFORE) return true;
    leaks_inherit(block->start);
    inherit(tally, &(struct event){0, block->site, block->size, block->block_size});
    return true;
}

// A child has its parent's sites.
static int begin_parts(bool has_sites, enum tally_old old)
{
    const bool is_fine = mappings_begin() && (has_sites || sites_begin()) && tally_begin(old);
    if (!is_fine) return recorder.writer.error ? recorder.writer.error : -ENOMEM;
    course_begin();
    return 0;
}

static void inherit_tracked(void *context, struct tracked_range *range)
{
    struct tally *tally = context;
    range->is_inherited = true;
    inherit(tally, &(struct event){0, range->site, range->size, range->size});
}

int beginning_of_parts(void)
{
    return begin_parts(false, TALLY_OLD_LEFT);
}

// What was interrupted goes on counting, but for what is inherited.
static void redirect(struct ledger_thread *interrupted, const struct tally *tally)
{
    const enum ledger_phase phase = interrupted->phase;
    const bool is_counted = phase == LEDGER_COUNTING || phase == LEDGER_FREEING;
    tally_redirect(&interrupted->tally, is_counted ? NULL : tally);
    state.apart = phase == LEDGER_FREEING ? (uintptr_t)interrupted->last_block : 0;
    state.unborn = (uintptr_t)interrupted->last_block;
}

// `interrupted`: the parent's, whose count goes on when the handler that forked returns.
static int begin_with_inherited(struct ledger_thread *interrupted, bool is_within)
{
    if (is_within && !sites_renew()) return -ENOMEM;
    int error = begin_parts(true, is_within ? TALLY_OLD_IN_USE : TALLY_OLD_LEFT);
    if (error) return error;
    leaks_forked();
    struct ledger_thread *thread = turn_enter_thread();
    struct tally *tally = thread ? &thread->tally : tally_shared();
    if (interrupted) redirect(interrupted, tally);
    const struct memory_reader reader = memory_reader_own();
    tracked_walk(inherit_tracked, tally);
    return heap_walk(&reader, (uintptr_t)&mete_heap_root, inherit_block, tally);
}

struct reopening {
    struct ledger_thread *interrupted;
    bool is_within;
    int error;
};

static void reopen(void *context)
{
    struct reopening *self = context;
    struct recorder parent;
    self->error = recorder_reopen(&parent, self->is_within);
    if (self->error) return;
    self->error = begin_with_inherited(self->interrupted, self->is_within);
    recorder_settle(&parent, self->error == 0, self->is_within);
}

static bool begin_alone(uintptr_t here)
{
    struct reopening reopening = {.is_within = turn_thread.busy_at != 0}; // a handler forked
    if (reopening.is_within) reopening.interrupted = turn_thread.self;
    ledger_thread_forked();
    turn_forget_parent();
    if (state.is_refused) { // nor had the parent one to go on from
        birthmark_set();
        return false;
    }
    turn_thread.busy_at = here;
    // The thread's stack may be too small for what goes through the heap.
    if (!own_stack_run(reopen, &reopening)) reopen(&reopening);
    const int error = reopening.error;
    birthmark_set();
    state.newborn = 0;
    state.apart = 0;
    state.unborn = 0;
    turn_thread.busy_at = 0;
    if (!error) return true;
    state.is_refused = true;
    // What they have lies in a file that is gone.
    if (reopening.interrupted) tally_redirect(&reopening.interrupted->tally, NULL);
    turn_thread.self = NULL;
    mappings_end();
    heap_observe(NULL);
    recorder_refuse(error);
    return false;
}

COLD bool beginning_in_child(uintptr_t here)
{
    turn_thread.is_deaf = true; // a handler that comes meanwhile would meet a half-open recording
    lock_take(birthmark.lock);
    bool has_begun = birthmark_is_set();
    bool is_well = has_begun ? !state.is_refused : begin_alone(here);
    lock_give(birthmark.lock);
    turn_thread.is_deaf = false;
    return is_well;
}

bool beginning_is_refused(void)
{
    return state.is_refused;
}

void beginning_note_newborn(const void *block)
{
    if (!birthmark_is_set()) state.newborn = (uintptr_t)block;
}
