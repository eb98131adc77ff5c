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
    struct thread_heap *next_look; // where the next search for a span begins; NULL: at the first
    _Atomic size_t count;
} state;

static __thread bool has_left;

static void add_idle(struct thread_heap *heap)
{
    heap->next_idle = state.first;
    state.first = heap;
    atomic_fetch_add_explicit(&state.count, 1, memory_order_relaxed);
}

// Also of a thread that had no heap, if the observer had it watched.
static void tell_observer(void)
{
    const struct heap_observer *observer = heap_observed_by();
    if (observer && observer->thread_gone) observer->thread_gone();
}

static void leave_heap(void)
{
    struct thread_heap *self = thread_heap;
    if (self == &thread_heap_none) {
        tell_observer();
        return;
    }
    thread_heap = &thread_heap_none;
    has_left = true;
    lock_take(&state.lock);
    for (unsigned class = 1; class < CLASS_COUNT; class ++) thread_heap_drop_bin(self, class);
    // seq_cst: whoever announces looks at is_idle after it pushed, we look at the stack after this.
    atomic_store_explicit(&self->is_idle, true, memory_order_seq_cst);
    remote_merge(self);
    add_idle(self);
    lock_give(&state.lock);
    page_heap_balance();
    tell_observer();
}

static struct thread_heap *create_heap(void)
{
    // A mapping of its own: all zero, which is an empty heap, and the pages of classes that the
    // thread never asks for are never touched.
    const size_t size = align_up(sizeof(struct thread_heap), PAGE_SIZE);
    struct thread_heap *self;
    do {
        self = metadata_map(size);
    } while (!self && page_heap_relieve());
    return self;
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
        if (state.next_look == self) state.next_look = NULL;
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

bool idle_has_left(void)
{
    return has_left;
}

// The first idle heap, with the lock taken; NULL, and it is not, without memory. One that has to be
// made is made before the lock is taken.
static struct thread_heap *lock_some_heap(void)
{
    struct thread_heap *made = NULL;
    for (;;) {
        lock_take(&state.lock);
        if (made) add_idle(made);
        if (state.first) return state.first;
        lock_give(&state.lock);
        made = create_heap();
        if (!made) return NULL;
        atomic_store_explicit(&made->is_idle, true, memory_order_relaxed);
    }
}

void *idle_take_block(unsigned class, enum block_fit fit, struct span **span_out)
{
    struct thread_heap *idle = lock_some_heap();
    if (!idle) return NULL;
    void *block = thread_heap_take_live(idle, class, fit, span_out);
    // No bin of an idle heap has a span: whoever needs one may take any.
    if (block) thread_heap_drop_bin(idle, (unsigned)((*span_out)->bin - idle->bins));
    lock_give(&state.lock);
    page_heap_balance();
    return block;
}

// The first partly used span of an idle heap's class, made busy; NULL when there is none.
static struct span *take_partial(struct thread_heap *idle, unsigned class)
{
    struct list *partial = &idle->reserves[class].partial;
    if (!partial->next || list_is_empty(partial)) return NULL;
    struct span *span = LIST_ENTRY(partial->next, struct span, link);
    if (!span_try_busy(span)) return NULL;
    list_remove(&span->link);
    idle->reserves[class].spans--;
    return span;
}

struct span *idle_adopt_span(struct thread_heap *self, unsigned class)
{
    if (atomic_load_explicit(&state.count, memory_order_relaxed) == 0) return NULL;
    struct span *span = NULL;
    lock_take(&state.lock);
    for (int i = 0; !span && i < LOOKS_MAX; i++) {
        struct thread_heap *idle = state.next_look ? state.next_look : state.first;
        if (!idle) break;
        state.next_look = idle->next_idle;
        span = take_partial(idle, class);
    }
    if (span) {
        span_set_state(span, SPAN_CURRENT);
        self->reserves[class].spans++;
        // Before a new thread may call the idle heap its own.
        atomic_store_explicit(&span->fast_owner, NULL, memory_order_relaxed);
        // release: pairs with the acquire in remote_free() and remote_merge(); who still sees the
        // old owner announces to it, and it passes the span on.
        atomic_store_explicit(&span->owner, self, memory_order_release);
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
