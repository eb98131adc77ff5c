#include "heap/heap.h"
#include "heap/idle.h"
#include "heap/large.h"
#include "heap/metadata.h"
#include "heap/page_heap.h"
#include "heap/reclaim.h"
#include "heap/remote.h"
#include "os/brief_thread.h"
#include "os/lock.h"
#include "os/thread.h"

static struct {
    struct lock lock;
    bool forks_alone; // heap_fork_prepare() took no locks
    struct heap_settings settings;
} state = {.settings = {
               .direct_size_min = (size_t)32 << 20,
               .dirty_bytes_keep = (size_t)1 << 20,
               .purge_delay_ms = 300,
               .use_helper = false, // until somebody who knows the process allows it
           }};

struct heap_settings heap_settings(void)
{
    lock_take(&state.lock);
    struct heap_settings settings = state.settings;
    lock_give(&state.lock);
    return settings;
}

void heap_configure(const struct heap_settings *settings)
{
    lock_take(&state.lock);
    state.settings = *settings;
    lock_give(&state.lock);
    large_set_direct_size_min(settings->direct_size_min);
    if (settings->is_keep_exact) {
        page_heap_keep_just(settings->dirty_bytes_keep);
    } else {
        page_heap_keep_recent(settings->dirty_bytes_keep);
    }
    // Without a limit nothing is ever returned unasked.
    bool has_limit = settings->dirty_bytes_keep < PTRDIFF_MAX;
    reclaim_configure(settings->use_helper && has_limit, settings->purge_delay_ms);
}

size_t heap_trim(size_t keep)
{
    struct thread_heap *self = thread_heap;
    if (self != &thread_heap_none) remote_merge(self);
    return page_heap_purge(keep, UINT64_MAX) + reclaim_holes();
}

// A lone thread may fork in a handler that interrupted its own malloc, and must not wait for
// itself: it takes no lock, and nobody else can hold one once the helper has ended. The order in
// which they nest: idle heaps are merged, which gives pages back, which makes metadata.
void heap_fork_prepare(void)
{
    reclaim_finish();
    state.forks_alone = thread_is_alone();
    if (state.forks_alone) return;
    lock_take(&state.lock);
    idle_lock();
    page_heap_lock();
    metadata_lock();
}

void heap_fork_parent(void)
{
    if (state.forks_alone) return;
    metadata_unlock();
    page_heap_unlock();
    idle_unlock();
    lock_give(&state.lock);
}

void heap_fork_child(void)
{
    if (state.forks_alone) {
        page_heap_fork_child_alone();
    } else {
        page_heap_fork_child_locked();
    }
    heap_fork_parent();
    reclaim_fork_child();
}

void heap_fork_child_bare(void)
{
    reclaim_fork_child();
}

void heap_pause_helper(void)
{
    reclaim_pause();
}

void heap_resume_helper(void)
{
    reclaim_resume();
}

void heap_forbid_helper(void)
{
    brief_thread_forbid();
}

void heap_finish_helper(void)
{
    reclaim_finish();
}
