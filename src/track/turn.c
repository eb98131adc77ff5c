#include "track/turn.h"

#include "os/thread.h"
#include "track/beginning.h"
#include "track/capture.h"
#include "track/sites.h"

#include <string.h>

__thread struct turn_thread turn_thread;

// Nothing is known of what came before.
static void forget(struct ledger_thread *thread)
{
    thread->last_block = NULL;
    thread->phase = LEDGER_IDLE;
    thread->node = RECORD_NONE;
    thread->site = SITE_OTHERS;
    look_forget(&thread->look);
}

COLD void turn_abandon(void)
{
    held_lock_abandon(&recorder.lock);
    ledger_thread_abandon();
    course_abandon();
    turn_thread.busy_at = 0;
    if (!turn_thread.self) return;
    recorder_lose(LOSS_LEFT); // may be counted in part
    forget(turn_thread.self);
    memset(&turn_thread.self->calls, 0, sizeof turn_thread.self->calls); // one may be half written
}

void turn_abandon_if_left(void)
{
    const uintptr_t busy_at = turn_thread.busy_at;
    struct ledger_thread *self = turn_thread.self;
    if (busy_at && self && look_is_abandoned(&self->look, busy_at)) turn_abandon();
}

COLD struct ledger_thread *turn_enter_thread(void)
{
    if (turn_thread.has_left) return NULL;
    struct ledger_thread *thread = ledger_thread_take();
    if (thread && !tally_enter(&thread->tally)) {
        ledger_thread_give(thread);
        thread = NULL;
    }
    if (!thread) {
        turn_thread.has_left = true;
        return NULL;
    }
    capture_init(&thread->capture);
    forget(thread);
    turn_thread.self = thread;
    turn_thread.is_deaf = true; // what libc may need for that is no business of the program's
    thread_watch_exit();        // one that only frees has no heap, which would see to it
    turn_thread.is_deaf = false;
    return thread;
}

void turn_thread_gone(void)
{
    struct ledger_thread *thread = turn_thread.self;
    turn_thread.has_left = true;
    if (turn_thread.busy_at) turn_abandon(); // pthread_exit() in a handler
    if (!thread) return;
    turn_thread.busy_at =
        (uintptr_t)__builtin_frame_address(0); // a handler must not wait for our locks
    turn_thread.self = NULL;
    tally_leave(&thread->tally);
    ledger_thread_give(thread);
    turn_thread.busy_at = 0;
}

void turn_forget_parent(void)
{
    turn_thread.self = NULL;
    turn_thread.has_left = false;
}

NOINLINE struct turn turn_begin_slow(uintptr_t here)
{
    if (turn_thread.is_deaf) return (struct turn){.is_lost = true};
    if (!birthmark_is_set() && !beginning_in_child(here)) return (struct turn){.is_lost = true};
    turn_abandon_if_left();
    if (turn_thread.busy_at) {
        bool is_locked = recorder_try();
        if (!is_locked) recorder_lose(LOSS_SIGNAL);
        return (struct turn){.is_lost = !is_locked, .is_within = true};
    }
    turn_thread.busy_at = here;
    struct turn turn = {.thread = turn_thread.self ? turn_thread.self : turn_enter_thread()};
    if (!turn.thread) recorder_take();
    return turn;
}

NOINLINE void turn_end_slow(const struct turn *turn)
{
    if (!turn->thread && !turn->is_lost) recorder_give();
    if (!turn->is_within) turn_thread.busy_at = 0;
}
