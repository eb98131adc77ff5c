#include "os/brief_thread.h"

#include "os/clone_onto.h"
#include "os/own_pages.h"
#include "os/pages.h"
#include "os/process.h"
#include "os/syscall.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

enum {
    STACK_SIZE = 16 * 1024,
    TLS_SIZE = PAGE_SIZE, // stands in for libc's thread block: self pointer and stack-guard value
    POLL_MS = 1,
    LAST_POLLS_MAX = 1000, // of 10 microseconds: it has nothing left to do but to go
};

// What a child by fork, _Fork or clone must not inherit: the kernel gives it zeroes here.
struct presence {
    _Atomic uint32_t id; // the kernel writes 0 here when the thread is gone
    _Atomic uint32_t must_end;
    _Atomic(struct lock *) waits_for;
    _Atomic long tid; // 0: there is none, for sure
};

// Presence, stack, thread block; kept for the next one.
struct memory {
    struct presence presence;
    _Alignas(4096) char stack[STACK_SIZE];
    _Alignas(4096) void *thread_block[TLS_SIZE / sizeof(void *)];
};

static struct {
    struct lock lock; // of whoever makes one
    _Atomic(struct memory *) memory;
    _Atomic unsigned holds; // callers of brief_thread_hold_off()
    long pid;               // of the process that may have one
    bool is_allowed;
    bool is_forbidden;
    long seccomp_mode; // at that time
} state;

static struct memory *peek_memory(void)
{
    // acquire: pairs with the release in get_memory()
    return atomic_load_explicit(&state.memory, memory_order_acquire);
}

static struct memory *get_memory(void)
{
    struct memory *memory = peek_memory();
    if (memory) return memory;
    memory = own_pages_map(sizeof *memory);
    if (!memory) return NULL;
    // Refused before Linux 4.14: then only fork()'s children know.
    (void)syscall_4(SYS_madvise, (long)memory, PAGE_SIZE, MADV_WIPEONFORK, 0);
    // release: pairs with the acquire in peek_memory()
    atomic_store_explicit(&state.memory, memory, memory_order_release);
    return memory;
}

void brief_thread_allow(void)
{
    if (state.is_allowed) return;
    state.seccomp_mode = process_seccomp_mode();
    state.pid = syscall_2(SYS_getpid, 0, 0);
    state.is_allowed = true;
}

void brief_thread_forbid(void)
{
    state.is_forbidden = true;
}

// See the header for what keeps one from being made.
static bool may_be_made(struct memory *memory)
{
    struct presence *presence = &memory->presence;
    if (atomic_load_explicit(&presence->id, memory_order_acquire) != 0) return false;
    if (state.is_forbidden || syscall_2(SYS_getpid, 0, 0) != state.pid) return false;
    return process_seccomp_mode() == state.seccomp_mode;
}

static bool make(struct memory *memory, void (*work)(void))
{
    // Those that libc's own threads use, so that sandboxes that allow threads allow this one.
    const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                       CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    void **block = memory->thread_block;
    block[0] = block; // %fs:0 and %fs:16 hold the block's own address (ABI)
    block[2] = block;
    uint64_t all = ~UINT64_C(0);
    uint64_t old = 0;
    (void)syscall_4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&old, sizeof all);
    struct presence *presence = &memory->presence;
    atomic_store_explicit(&presence->must_end, 0, memory_order_relaxed);
    atomic_store(&presence->id, 1); // until the kernel does
    // seq_cst: either this sees the hold, or who holds off sees the id.
    long id = atomic_load(&state.holds) == 0
                  ? clone_onto(flags, memory->stack + STACK_SIZE, &memory->presence.id,
                               memory->thread_block, work)
                  : -EAGAIN;
    if (id > 0) atomic_store(&presence->tid, id);
    if (id < 0) atomic_store(&presence->id, 0);
    (void)syscall_4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&old, 0, sizeof old);
    return id > 0;
}

bool brief_thread_run(void (*work)(void))
{
    if (!lock_try(&state.lock)) return false; // somebody is at it
    struct memory *memory = state.is_allowed ? get_memory() : NULL;
    bool made = memory && may_be_made(memory) && make(memory, work);
    lock_give(&state.lock);
    return made;
}

bool brief_thread_is_running(void)
{
    const struct memory *memory = peek_memory();
    // acquire: what it did is done, once the kernel says that it is gone
    return memory && atomic_load_explicit(&memory->presence.id, memory_order_acquire) != 0;
}

void brief_thread_forget(void)
{
    struct memory *memory = peek_memory();
    if (memory) memory->presence = (struct presence){0};
    state.pid = syscall_2(SYS_getpid, 0, 0);
    atomic_store_explicit(&state.lock.word, 0, memory_order_relaxed); // its holder may be gone
}

// Waits until the word has another value, at most that long.
static void wait_while(_Atomic uint32_t *word, uint32_t value, int operation, unsigned ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)syscall_4(SYS_futex, (long)word, operation, value, (long)&span); // callers look again
}

// Whether it waits for a lock that is held all the while. It says for which before it waits, and
// takes that back before it tries to get it: so whoever holds the lock is somebody else.
static bool waits_in_vain(const struct presence *presence)
{
    struct lock *lock = atomic_load(&presence->waits_for);
    if (!lock || atomic_load(&lock->word) == 0) return false;
    return atomic_load(&presence->waits_for) == lock;
}

// The kernel clears the id before it counts one thread less.
static void wait_for_the_kernel(struct presence *presence)
{
    long tid = atomic_load(&presence->tid);
    for (int i = 0; tid && i < LAST_POLLS_MAX; i++) {
        if (syscall_4(SYS_tgkill, state.pid, tid, 0, 0) != 0) break; // ESRCH
        struct timespec span = {.tv_nsec = 10000};
        (void)syscall_2(SYS_nanosleep, (long)&span, 0);
    }
    (void)atomic_compare_exchange_strong(&presence->tid, &tid, 0); // or it is the next one's
}

bool brief_thread_end(void)
{
    struct memory *memory = peek_memory();
    if (!memory) return true;
    struct presence *presence = &memory->presence;
    uint32_t id;
    while ((id = atomic_load(&presence->id)) != 0) {
        atomic_store(&presence->must_end, 1); // each time: it may be another one by now
        (void)syscall_4(SYS_futex, (long)&presence->must_end, FUTEX_WAKE_PRIVATE, 1, 0);
        if (waits_in_vain(presence)) return false;
        wait_while(&presence->id, id, FUTEX_WAIT, POLL_MS); // not private: the kernel wakes us
    }
    wait_for_the_kernel(presence);
    return true;
}

void brief_thread_hold_off(void)
{
    atomic_fetch_add(&state.holds, 1);
}

void brief_thread_let_come(void)
{
    unsigned holds = atomic_load(&state.holds);
    while (holds > 0 && !atomic_compare_exchange_weak(&state.holds, &holds, holds - 1)) continue;
}

bool brief_thread_is_me(void)
{
    const struct memory *memory = peek_memory();
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return memory && here - (uintptr_t)memory->stack < STACK_SIZE;
}

void brief_thread_sleep_ms(unsigned ms)
{
    wait_while(&peek_memory()->presence.must_end, 0, FUTEX_WAIT_PRIVATE, ms);
}

bool brief_thread_must_end(void)
{
    return atomic_load_explicit(&peek_memory()->presence.must_end, memory_order_relaxed);
}

void brief_thread_take(struct lock *lock)
{
    struct presence *presence = &peek_memory()->presence;
    if (lock_try(lock)) return;
    for (;;) {
        atomic_store(&presence->waits_for, lock);
        uint32_t held = 1;
        // 2: whoever gives it wakes us. Or somebody has said so already, or it is free.
        (void)atomic_compare_exchange_strong(&lock->word, &held, 2);
        if (held != 0) wait_while(&lock->word, 2, FUTEX_WAIT_PRIVATE, 1000);
        atomic_store(&presence->waits_for, NULL);
        uint32_t free = 0;
        // acquire: pairs with the release in lock_give(). 2: others may wait too.
        if (atomic_compare_exchange_strong(&lock->word, &free, 2)) return;
    }
}
