// Borrow: how a bin does without a span of its own.
// Fine classes waste little of each block, but every class with spans holds pages that are partly
// empty. So requests of a class that is rare so far are served by the next coarser class, until
// they have made enough pages necessary, or are many. And a bin that would need fresh pages takes a
// resting span of somewhat larger blocks instead, if enough of its blocks are free: then what one
// phase of a program left scattered serves the next one. Such a span stays its own class's, and
// goes back there when its free blocks are used up.
//
// What that may waste: a quarter of what a rare class asks for; in a borrowed span as much as was
// asked for, in pages that would be resident either way.
// Called by the thread whose heap it is.
#pragma once

#include "heap/thread_heap.h"

// Whether requests of `class` are too rare so far for a span of its own. Counts this one.
bool borrow_is_rare(struct bin_reserve *reserve, unsigned class);

// A request of that class made a span of so many pages necessary, in whatever class.
void borrow_note_growth(struct bin_reserve *reserve, size_t page_count);

// A resting span of blocks larger than `class`'s, many of them free, made busy; NULL when there is
// none. `asked` is the class that was asked for, which a rare one's coarse class serves.
struct span *borrow_span(struct thread_heap *self, unsigned class, unsigned asked);
