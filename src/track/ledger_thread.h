// Ledger thread: what the ledger knows of one thread, in pages of its own that go from threads that
// end to those that begin.
#pragma once

#include "track/capture.h"
#include "track/look.h"
#include "track/recent_calls.h"
#include "track/tally.h"

#include <stdbool.h>
#include <stdint.h>

struct ledger_thread {
    struct capture capture;
    struct tally tally;
    struct recent_calls calls;
    const void *last_block; // what its last call of the family gave it; while it frees one: that
    bool was_temporary;     // its last free was of that
    // How far it is with last_block. A child that a handler forks meanwhile goes on with that.
    enum ledger_phase {
        LEDGER_IDLE,
        LEDGER_COUNTING, // noted: the child inherits it, and counts no more of it
        LEDGER_FREEING,  // going: the child neither inherits it nor counts more of it
    } phase;
    uint32_t node; // of its last stack
    uint32_t end;
    uint32_t site;
    struct ledger_thread *next_left;
    struct look look; // at who is busy
};

// Memory for one, with whatever another left in it. NULL: there is none. And back.
struct ledger_thread *ledger_thread_take(void);
void ledger_thread_give(struct ledger_thread *self);

// The calling thread has left for good whatever it did here. The process is a forked child.
void ledger_thread_abandon(void);
void ledger_thread_forked(void);
