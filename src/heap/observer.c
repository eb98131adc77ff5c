#include "heap/observer.h"

#include "heap/idle.h"
#include "heap/note.h"
#include "heap/page_heap.h"
#include "heap/span_map.h"

_Atomic(const struct heap_observer *) heap_observer_now;

// No block has a site yet.
static void forget_notes(void)
{
    page_heap_lock();
    for (struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        notes_forget(span);
    }
    page_heap_unlock();
}

// From now on every free finds that it is not on the fast path.
static void slow_every_free(void)
{
    atomic_thread_fence(
        memory_order_seq_cst); // pairs with the one in thread_heap.c, make_current()
    page_heap_lock();
    for (struct span *span = span_map_next(0); span;
         span = span_map_next(span->base + span->size)) {
        atomic_store_explicit(&span->fast_owner, NULL, memory_order_relaxed);
    }
    page_heap_unlock();
}

void heap_observe(const struct heap_observer *observer)
{
    if (observer) forget_notes();
    atomic_store_explicit(&heap_observer_now, observer, memory_order_release);
    if (!observer) return; // fast paths come back with the next span that each bin turns to
    slow_every_free();
    if (thread_heap != &thread_heap_none) thread_heap_withhold(thread_heap);
}
