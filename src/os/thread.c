#include "os/thread.h"

#include "base/attributes.h"
#include "os/lock.h"
#include "os/pages.h"
#include "os/syscall.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/single_threaded.h>

enum {
    BRIEF_STACK_SIZE = 16 * 1024,
    BRIEF_TLS_SIZE = 4096, // stands in for libc's thread block: self pointer and stack-guard value
};

static struct {
    struct lock lock;
    bool has_key;
    pthread_key_t key;
    void (*exit_callback)(void);
    char *brief_memory;        // stack, then the thread block; kept for the next one
    _Atomic uint32_t brief_id; // the kernel writes 0 here when the brief thread is gone
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

// clone() gives the child a stack with `work` on it; it must never return into our caller's frame.
static long clone_brief(char *stack_end, void *thread_block, void (*work)(void))
{
    // The flags libc's own threads use, so that sandboxes that allow threads allow this one.
    long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    long result;
    register long r10 __asm__("r10") = (long)&state.brief_id;
    register void *r8 __asm__("r8") = thread_block;
    register void (*r12)(void) __asm__("r12") = work;
    __asm__ volatile("syscall\n\t"
                     "test %%eax, %%eax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t" // outermost frame, for unwinders
                     "call *%%r12\n\t"
                     "xor %%edi, %%edi\n\t"
                     "mov %[exit], %%eax\n\t"
                     "syscall\n\t"
                     "hlt\n"
                     "1:"
                     : "=a"(result)
                     : "a"((long)SYS_clone), "D"(flags), "S"(stack_end), "d"(&state.brief_id),
                       "r"(r10), "r"(r8), "r"(r12), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory");
    return result;
}

bool thread_run_brief(void (*work)(void))
{
    if (!lock_try(&state.lock)) return false; // somebody is at it
    bool made = false;
    if (atomic_load_explicit(&state.brief_id, memory_order_acquire) == 0) {
        if (!state.brief_memory) state.brief_memory = pages_map(BRIEF_STACK_SIZE + BRIEF_TLS_SIZE);
        if (state.brief_memory) {
            char *stack_end = state.brief_memory + BRIEF_STACK_SIZE;
            void **thread_block = (void **)(void *)(stack_end);
            thread_block[0] = thread_block; // %fs:0 and %fs:16 hold the block's own address (ABI)
            thread_block[2] = thread_block;
            uint64_t all = ~UINT64_C(0), old = 0;
            (void)syscall_4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&old, sizeof all);
            atomic_store_explicit(&state.brief_id, 1,
                                  memory_order_relaxed); // until the kernel does
            long id = clone_brief(stack_end, thread_block, work);
            if (id < 0) atomic_store_explicit(&state.brief_id, 0, memory_order_relaxed);
            (void)syscall_4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&old, 0, sizeof old);
            made = id > 0;
        }
    }
    lock_give(&state.lock);
    return made;
}

bool thread_is_alone(void)
{
    return __libc_single_threaded;
}

bool thread_brief_is_running(void)
{
    return atomic_load_explicit(&state.brief_id, memory_order_acquire) != 0;
}

void thread_forget_brief(void)
{
    atomic_store_explicit(&state.brief_id, 0, memory_order_relaxed);
    atomic_store_explicit(&state.lock.word, 0, memory_order_relaxed); // its holder may be gone
}
