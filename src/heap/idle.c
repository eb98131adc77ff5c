#include "heap/idle.h"

#include "heap/metadata.h"
#include "heap/page_heap.h"
#include "heap/remote.h"
#include "os/lock.h"
#include "os/thread.h"

enum { LOOKS_MAX = 16 }; // idle heaps asked for a span before a fresh one is made (guess)

static struct {
    struct lock lock;
    bool has_callback;
    struct thread_heap *first;
    _Atomic size_t count;
} state;

static void leave_heap(void)
{
    struct thread_heap *self = thread_heap;
    if (self == &thread_heap_none) return;
    thread_heap = &thread_heap_none;
    lock_take(&state.lock);
    for (unsigned class = 1; class < CLASS_COUNT; class ++) thread_heap_drop_bin(self, class);
    // seq_cst: whoever announces looks at is_idle after it pushed, we look at the stack after this.
    atomic_store_explicit(&self->is_idle, true, memory_order_seq_cst);
    remote_merge(self);
    self->next_idle = state.first;
    state.first = self;
    atomic_fetch_add_explicit(&state.count, 1, memory_order_relaxed);
    lock_give(&state.lock);
    page_heap_balance();
}

static struct thread_heap *create_heap(void)
{
    // A mapping of its own: all zero, which is an empty heap, and the pages of classes that the
    // thread never asks for are never touched.
    return metadata_map(align_up(sizeof(struct thread_heap), PAGE_SIZE));
}

static struct thread_heap *take_heap(void)
{
    lock_take(&state.lock);
    if (!state.has_callback) {
        thread_set_exit_callback(leave_heap);
        state.has_callback = true;
    }
    struct thread_heap *self = state.first;
    if (self) {
        state.first = self->next_idle;
        atomic_fetch_sub_explicit(&state.count, 1, memory_order_relaxed);
        atomic_store_explicit(&self->is_idle, false, memory_order_relaxed);
    }
    lock_give(&state.lock);
    return self ? self : create_heap();
}

struct thread_heap *idle_get_heap(void)
{
    if (thread_heap != &thread_heap_none) return thread_heap;
    struct thread_heap *self = take_heap();
    if (!self) return NULL;
    thread_heap = self;
    thread_watch_exit(); // may call malloc, which finds the heap now
    return self;
}

struct span *idle_adopt_span(struct thread_heap *self, unsigned class)
{
    if (atomic_load_explicit(&state.count, memory_order_relaxed) == 0) return NULL;
    struct span *span = NULL;
    lock_take(&state.lock);
    struct thread_heap *idle = state.first;
    for (int i = 0; idle && !span && i < LOOKS_MAX; i++, idle = idle->next_idle) {
        struct list *partial = &idle->reserves[class].partial;
        if (!partial->next || list_is_empty(partial)) continue;
        struct span *candidate = LIST_ENTRY(partial->next, struct span, link);
        if (!span_try_busy(candidate)) continue;
        list_remove(&candidate->link);
        span_set_state(candidate, SPAN_CURRENT);
        // Before a new thread may call the idle heap its own.
        atomic_store_explicit(&candidate->fast_owner, NULL, memory_order_relaxed);
        // release: pairs with the acquire in remote_free() and remote_merge(); who still sees the
        // old owner announces to it, and it passes the span on.
        atomic_store_explicit(&candidate->owner, self, memory_order_release);
        span = candidate;
    }
    lock_give(&state.lock);
    return span;
}

void idle_merge(struct thread_heap *owner)
{
    lock_take(&state.lock);
    if (atomic_load_explicit(&owner->is_idle, memory_order_relaxed)) remote_merge(owner);
    lock_give(&state.lock);
    page_heap_balance();
}

void idle_lock(void)
{
    lock_take(&state.lock);
}

void idle_unlock(void)
{
    lock_give(&state.lock);
}
