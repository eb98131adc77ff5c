#include "heap/heap.h"
#include "heap/idle.h"
#include "heap/large.h"
#include "heap/metadata.h"
#include "heap/page_heap.h"
#include "heap/reclaim.h"
#include "heap/remote.h"
#include "os/clock.h"
#include "os/lock.h"
#include "os/thread.h"

static struct {
    struct lock lock;
    // What heap_fork_prepare() did, by one thread at a time.
    bool forks_alone;
    bool has_pages;
    bool has_metadata;
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
    page_heap_set_dirty_keep(settings->dirty_bytes_keep);
    reclaim_configure(settings->use_helper, settings->purge_delay_ms);
}

size_t heap_trim(size_t keep)
{
    struct thread_heap *self = thread_heap;
    if (self != &thread_heap_none) remote_merge(self);
    return page_heap_purge(keep, UINT64_MAX) + reclaim_holes();
}

// Takes a lock that only the helper may hold, and for no longer than this waits; false: the
// function that this thread interrupted holds it.
static bool take_unless_mine(bool (*try_lock)(void))
{
    for (int i = 0; i < 20; i++) {
        if (try_lock()) return true;
        clock_sleep_ms(1);
    }
    return false;
}

// A lone thread may fork in a handler that interrupted its own malloc, and must not wait for
// itself.
static void prepare_alone(void)
{
    if (!thread_brief_is_running()) return;
    // What is held already is held for a fork that this one's handler interrupted.
    if (!state.has_pages) state.has_pages = take_unless_mine(page_heap_try_lock);
    if (!state.has_metadata) state.has_metadata = take_unless_mine(metadata_try_lock);
}

// The order in which they nest: idle heaps are merged, which gives pages back, which makes
// metadata.
void heap_fork_prepare(void)
{
    state.forks_alone = thread_is_alone();
    if (state.forks_alone) {
        prepare_alone();
        return;
    }
    lock_take(&state.lock);
    idle_lock();
    page_heap_lock();
    metadata_lock();
}

void heap_fork_parent(void)
{
    if (state.forks_alone) {
        if (state.has_metadata) metadata_unlock();
        if (state.has_pages) page_heap_unlock();
        state.has_metadata = false;
        state.has_pages = false;
        return;
    }
    metadata_unlock();
    page_heap_unlock();
    idle_unlock();
    lock_give(&state.lock);
}

void heap_fork_child(void)
{
    heap_fork_parent();
    reclaim_fork_child();
}
