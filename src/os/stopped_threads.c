#include "os/stopped_threads.h"

#include "base/align.h"
#include "base/attributes.h"
#include "base/text.h"
#include "os/clock.h"
#include "os/clone_onto.h"
#include "os/interrupted_call.h"
#include "os/own_pages.h"
#include "os/pages.h"
#include "os/parked_threads.h"
#include "os/syscall.h"
#include "os/thread_list.h"
#include "os/traced_thread.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

enum {
    STACK_SIZE = 64 * 1024, // of the task
    ROUNDS_MAX = 1000,      // of looking for threads that others made meanwhile
    POLL_NS = 20 * 1000,    // that threads are let go for, the first time
    AVOID_MS_MAX = 500,     // for all: of letting threads out of code to be avoided
    FEW = 8,                // threads: so many are let go more often, since on a busy machine
    ROUNDS_LEAST = 40,      // time says little
    STEPS_MAX = 600,        // instructions of one thread on its way out, at a time
    ROUNDS_PER_STEP = 4, // of letting all go for as long; then step by step, and for twice as long
    DOUBLED_MAX = 10,
};

static const long task_flags =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

// What the task and its maker share.
static struct {
    struct stopped_threads *threads;
    struct stopping_options options;
    long pid;
    long caller;                // the thread that is not stopped
    int error;                  // why not all are
    _Atomic uint32_t may_begin; // the task has the right to stop them
    _Atomic uint32_t is_done;   // the maker may look
    _Atomic uint32_t may_go;    // the task shall let them go and end
    _Atomic uint32_t task;      // its id; the kernel writes 0 when it is gone
    long task_id;
    uint64_t task_faults; // of all that there were
    bool ignores_trap;    // the program does
    char *stack;
} state;

// --- waiting
// -------------------------------------------------------------------------------------

static void sleep_ns(long ns)
{
    struct timespec span = {.tv_nsec = ns};
    (void)syscall_2(SYS_nanosleep, (long)&span, 0);
}

static bool is_task_gone(void)
{
    return atomic_load_explicit(&state.task, memory_order_acquire) == 0;
}

// In the task: also where its maker is in another PID namespace, and knows its threads by other
// numbers.
static bool is_maker_gone(void)
{
    return syscall_2(SYS_getppid, 0, 0) != state.pid;
}

static void wait_until_set(_Atomic uint32_t *word, bool (*is_in_vain)(void))
{
    const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
    while (atomic_load_explicit(word, memory_order_acquire) == 0 && !is_in_vain()) {
        (void)syscall_4(SYS_futex, (long)word, FUTEX_WAIT, 0, (long)&moment);
    }
}

static void set(_Atomic uint32_t *word)
{
    // release: pairs with the acquire in wait_until_set()
    atomic_store_explicit(word, 1, memory_order_release);
    (void)syscall_4(SYS_futex, (long)word, FUTEX_WAKE, 1, 0);
}

static bool count_thread(void *context, int tid)
{
    (void)tid;
    ++*(size_t *)context;
    return true;
}

// --- in the task
// ---------------------------------------------------------------------------------

struct round {
    size_t found; // that were not known
};

// Asks a thread that is new to stop.
static bool ask(void *context, int tid)
{
    struct round *round = context;
    struct stopped_threads *self = state.threads;
    if (tid == (int)state.caller || stopped_threads_find(self, tid)) return true;
    if (self->count == self->capacity) {
        state.error = -ENOMEM;
        return false;
    }
    struct stopped_thread *thread = &self->threads[self->count];
    *thread = (struct stopped_thread){.tid = tid, .is_initial = tid == (int)state.pid};
    long error = traced(PTRACE_SEIZE, tid, 0, 0);
    if (error == -ESRCH || (error && thread_list_has_ended(state.pid, tid))) {
        thread->is_gone = true; // counted: the initial thread's name stays as long as the process
        self->count++;
        return true;
    }
    if (error) {
        state.error = (int)error;
        return false;
    }
    self->count++;
    round->found++;
    (void)traced(PTRACE_INTERRUPT, tid, 0, 0); // it may have ended meanwhile: then waiting says so
    return true;
}

static void read_registers(struct stopped_thread *thread)
{
    struct stopped_threads *self = state.threads;
    struct user_regs_struct registers;
    if (!traced_read(thread, &registers)) {
        thread->is_gone = true; // killed at this moment
        return;
    }
    thread->first_word = self->word_count;
    uint64_t *words = &self->words[self->word_count];
    memcpy(words, &registers, sizeof registers);
    size_t count = sizeof registers / sizeof *words;
    struct iovec piece = {
        .iov_base = &words[count],
        .iov_len = (STOPPED_WORDS_MAX - count) * sizeof *words,
    };
    if (traced(PTRACE_GETREGSET, thread->tid, NT_X86_XSTATE, (unsigned long)&piece) == 0) {
        count += piece.iov_len / sizeof *words;
    }
    thread->word_count = count;
    self->word_count += count;
}

// --- out of code to be avoided

static bool is_inside(struct stopped_thread *thread)
{
    struct user_regs_struct registers;
    if (!thread->is_gone) (void)traced_read(thread, &registers); // killed: is_gone soon
    return !thread->is_gone && stopping_avoids(&state.options, thread->tid, thread->pc);
}

// Whether it is inside, and its next instruction ends soon: a system call, also one that is to be
// begun again, may wait for another thread.
static bool may_step(struct stopped_thread *thread)
{
    static const unsigned char call[] = {0x0f, 0x05};
    struct user_regs_struct registers;
    if (thread->is_gone || !traced_read(thread, &registers)) return false;
    return stopping_avoids(&state.options, thread->tid, thread->pc) &&
           (long)registers.orig_rax < 0 &&
           memcmp((const void *)thread->pc, call, sizeof call) != 0; // our own code
}

// Lets one thread alone go on, an instruction at a time, until it is out: one that does nothing but
// allocate is back inside as soon as it may run. Not one to which a signal is to be delivered.
static void step_out(struct stopped_thread *thread)
{
    // The kernel tells of steps by SIGTRAP; of who blocks that it forgets what the program does
    // about it.
    const uint64_t trap = UINT64_C(1) << (SIGTRAP - 1);
    uint64_t mask = 0;
    if (!may_step(thread)) return;
    (void)traced(PTRACE_GETSIGMASK, thread->tid, sizeof mask, (unsigned long)&mask);
    uint64_t without = mask & ~trap;
    if (mask & trap) {
        (void)traced(PTRACE_SETSIGMASK, thread->tid, sizeof mask, (unsigned long)&without);
    }
    enum traced_step step = TRACED_STEP_MADE;
    for (int i = 0; i < STEPS_MAX && step == TRACED_STEP_MADE && !thread->signal; i++) {
        if (!may_step(thread)) break;
        step = traced_step(thread);
    }
    if (step == TRACED_STEP_LOST) state.error = -EBUSY;
    if (mask & trap) {
        (void)traced(PTRACE_SETSIGMASK, thread->tid, sizeof mask, (unsigned long)&mask);
    }
}

// Lets all that are inside go on for a while: one may wait for another there.
static void let_go_inside(long ns)
{
    struct stopped_threads *self = state.threads;
    for (size_t i = 0; i < self->count; i++) {
        struct stopped_thread *thread = &self->threads[i];
        thread->is_let = is_inside(thread);
        if (!thread->is_let) continue;
        (void)traced(PTRACE_CONT, thread->tid, 0, (unsigned long)thread->signal);
        thread->signal = 0;
    }
    sleep_ns(ns);
    for (size_t i = 0; i < self->count; i++) {
        struct stopped_thread *thread = &self->threads[i];
        if (thread->is_let) (void)traced(PTRACE_INTERRUPT, thread->tid, 0, 0);
    }
    for (size_t i = 0; i < self->count; i++) {
        struct stopped_thread *thread = &self->threads[i];
        if (thread->is_let && !traced_wait(thread)) state.error = -EBUSY;
        thread->is_let = false;
    }
}

// How many are inside, after they were let out one by one if that is wanted.
static size_t count_inside(bool steps_out)
{
    struct stopped_threads *self = state.threads;
    size_t count = 0;
    for (size_t i = 0; i < self->count && !state.error; i++) {
        struct stopped_thread *thread = &self->threads[i];
        if (!is_inside(thread)) continue;
        if (steps_out) step_out(thread);
        count += is_inside(thread);
    }
    return count;
}

// Those that do not leave it soon stay. Many that all may run would take long: one by one first.
static void leave_avoided(void)
{
    const uint64_t end_ms = clock_coarse_ms_direct() + AVOID_MS_MAX;
    bool is_late = false;
    for (int round = 0; !state.error; round++) {
        bool steps_out = !is_late && round % ROUNDS_PER_STEP == 0;
        size_t count = count_inside(steps_out);
        if (count == 0) return;
        is_late = clock_coarse_ms_direct() >= end_ms;
        if (is_late && (count > FEW || round >= ROUNDS_LEAST)) return;
        int doubled = round / ROUNDS_PER_STEP;
        let_go_inside(POLL_NS << (doubled < DOUBLED_MAX ? doubled : DOUBLED_MAX));
    }
}

static void stop_all(void)
{
    struct stopped_threads *self = state.threads;
    struct round round = {.found = 1};
    for (int i = 0; i < ROUNDS_MAX && round.found > 0 && !state.error; i++) {
        size_t first = self->count;
        round.found = 0;
        int error = thread_list_read(state.pid, ask, &round);
        if (error && !state.error) state.error = error;
        for (size_t j = first; j < self->count; j++) {
            struct stopped_thread *thread = &self->threads[j];
            if (!thread->is_gone && !traced_wait(thread)) state.error = -EBUSY;
        }
    }
    if (round.found > 0 && !state.error) state.error = -EAGAIN;
    leave_avoided();
    for (size_t j = 0; j < self->count && !state.error; j++) {
        struct stopped_thread *thread = &self->threads[j];
        if (!thread->is_gone) read_registers(thread);
    }
}

static void let_all_go(void)
{
    struct stopped_threads *self = state.threads;
    for (size_t i = 0; i < self->count; i++) {
        const struct stopped_thread *thread = &self->threads[i];
        if (!thread->is_gone) {
            if (!thread->signal) interrupted_call_begin_again(thread->tid);
            (void)traced(PTRACE_DETACH, thread->tid, 0, (unsigned long)thread->signal);
        }
    }
}

static void run_task(void)
{
    // It has nothing to do alone. A maker that has gone before that was said is noticed, too.
    (void)syscall_2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
    wait_until_set(&state.may_begin, is_maker_gone);
    if (is_maker_gone()) return;
    stop_all();
    set(&state.is_done);
    if (!state.error) wait_until_set(&state.may_go, is_maker_gone);
    let_all_go();
}

// --- its maker
// -----------------------------------------------------------------------------------

static bool take_memory(struct stopped_threads *self, size_t thread_count)
{
    // Others may come while these are stopped.
    self->capacity = 2 * thread_count + 64;
    self->word_capacity = self->capacity * STOPPED_WORDS_MAX;
    size_t list_size = align_up(self->capacity * sizeof *self->threads, PAGE_SIZE);
    size_t words_size = self->word_capacity * sizeof *self->words;
    self->memory_size = STACK_SIZE + list_size + words_size;
    char *memory = own_pages_map(self->memory_size);
    if (!memory) return false;
    self->memory = memory;
    state.stack = memory;
    self->threads = (void *)(memory + STACK_SIZE);
    self->words = (void *)(memory + STACK_SIZE + list_size);
    return true;
}

// Waits until the task is gone, and takes its leave from the kernel.
static void bury_task(void)
{
    while (atomic_load_explicit(&state.task, memory_order_acquire) != 0) {
        const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
        uint32_t id = atomic_load_explicit(&state.task, memory_order_relaxed);
        if (id) (void)syscall_4(SYS_futex, (long)&state.task, FUTEX_WAIT, id, (long)&moment);
    }
    struct rusage usage = {0};
    (void)syscall_4(SYS_wait4, state.task_id, 0, __WALL, (long)&usage);
    state.task_faults += (uint64_t)usage.ru_minflt;
}

// Of who ignores SIGTRAP the kernel forgets that, too, with the first step.
static void keep_trap(bool is_over)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } now;
    const size_t size = sizeof now.mask;
    if (syscall_4(SYS_rt_sigaction, SIGTRAP, 0, (long)&now, (long)size) != 0) return;
    const bool is_ignored = now.handler == (void *)SIG_IGN;
    if (!is_over) state.ignores_trap = is_ignored;
    if (!is_over || !state.ignores_trap || is_ignored) return;
    now.handler = (void *)SIG_IGN;
    (void)syscall_4(SYS_rt_sigaction, SIGTRAP, (long)&now, 0, (long)size);
}

static void give_memory(struct stopped_threads *self)
{
    if (self->memory) own_pages_unmap(self->memory, self->memory_size);
    *self = (struct stopped_threads){0};
}

static int seize(struct stopped_threads *self, const struct stopping_options *options)
{
    int error = 0;
    state.threads = self;
    state.options = *options;
    state.pid = syscall_2(SYS_getpid, 0, 0);
    state.caller = syscall_2(SYS_gettid, 0, 0);
    state.error = 0;
    atomic_store(&state.may_begin, 0);
    atomic_store(&state.is_done, 0);
    atomic_store(&state.may_go, 0);
    atomic_store(&state.task, 1); // until the kernel does
    state.task_id = clone_onto(task_flags, state.stack + STACK_SIZE, &state.task, NULL, run_task);
    if (state.task_id > 0) {
        // Yama lets nobody trace but ancestors, and whom one names. Without it this is refused.
        (void)syscall_2(SYS_prctl, PR_SET_PTRACER, state.task_id);
        keep_trap(false);
        set(&state.may_begin);
        wait_until_set(&state.is_done, is_task_gone);
        keep_trap(true);
        error = state.error;
        if (!error && atomic_load(&state.is_done) == 0) error = -ECANCELED; // it was killed
        if (error) bury_task();
        (void)syscall_2(SYS_prctl, PR_SET_PTRACER, 0);
    } else {
        error = (int)state.task_id;
        atomic_store(&state.task, 0);
    }
    return error;
}

int threads_stop(struct stopped_threads *self, const struct stopping_options *options)
{
    *self = (struct stopped_threads){0};
    size_t thread_count = 0;
    int error = thread_list_check();
    if (!error) error = thread_list_read(syscall_2(SYS_getpid, 0, 0), count_thread, &thread_count);
    if (error || thread_count == 1) return error;
    if (!take_memory(self, thread_count)) return -ENOMEM;
    error = options->parks_only ? -EPERM : seize(self, options);
    // What the kernel holds it does not give to a signal either.
    if (error == 0 || error == -ENOMEM || error == -EBUSY) {
        if (error) give_memory(self);
        return error;
    }
    self->count = 0;
    self->word_count = 0;
    self->is_parked = true;
    error = threads_park(self, options);
    if (error) give_memory(self);
    return error;
}

uint64_t threads_task_faults(void)
{
    return state.task_faults;
}

void threads_resume(struct stopped_threads *self)
{
    if (!self->memory) return;
    if (self->is_parked) {
        threads_unpark(self);
    } else {
        set(&state.may_go);
        bury_task();
    }
    give_memory(self);
}
