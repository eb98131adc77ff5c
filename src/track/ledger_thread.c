#include "track/ledger_thread.h"

#include "base/align.h"
#include "os/own_pages.h"
#include "os/pages.h"

static struct {
    struct held_lock lock;
    struct ledger_thread *left; // of ended threads
} state;

struct ledger_thread *ledger_thread_take(void)
{
    held_lock_take(&state.lock);
    struct ledger_thread *self = state.left;
    if (self) state.left = self->next_left;
    held_lock_give(&state.lock);
    return self ? self : own_pages_map(align_up(sizeof(struct ledger_thread), PAGE_SIZE));
}

void ledger_thread_give(struct ledger_thread *self)
{
    held_lock_take(&state.lock);
    self->next_left = state.left;
    state.left = self;
    held_lock_give(&state.lock);
}

void ledger_thread_abandon(void)
{
    held_lock_abandon(&state.lock);
}

void ledger_thread_forked(void)
{
    held_lock_reset(&state.lock);
}
