#include "os/thread.h"

#include "os/lock.h"

#include <pthread.h>
#include <sys/single_threaded.h>

static struct {
    struct lock lock;
    bool has_key;
    pthread_key_t key;
    void (*exit_callback)(void);
} state;

static void run_exit_callback(void *ignored)
{
    (void)ignored; // the value only says that the thread asked
    state.exit_callback();
}

void thread_set_exit_callback(void (*callback)(void))
{
    lock_take(&state.lock);
    state.exit_callback = callback;
    if (!state.has_key) state.has_key = pthread_key_create(&state.key, run_exit_callback) == 0;
    lock_give(&state.lock);
}

void thread_watch_exit(void)
{
    // No key or no memory for it: the thread's heap is found only when the process ends.
    if (state.has_key) (void)pthread_setspecific(state.key, &state);
}

bool thread_is_alone(void)
{
    return __libc_single_threaded;
}
