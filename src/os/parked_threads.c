#include "os/parked_threads.h"

#include "base/attributes.h"
#include "os/clock.h"
#include "os/registers.h"
#include "os/syscall.h"
#include "os/thread_list.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#define SA_RESTORER 0x04000000 // the kernel's, in no header

enum {
    PARKING_SIGNAL = 33,     // SIGSETXID: pthread_sigmask() takes it out of every mask
    POLL_NS = 50 * 1000,     // between two looks at whether threads have come
    WAIT_MS_MAX = 2000,      // for one
    POLLS_MAX = 20 * 1000,   // 1 s and more
    ROUNDS_MAX = 1000,       // of looking for threads that others made meanwhile
    AVOID_MS_MAX = 300,      // for all: of letting threads out of code to be avoided
    AVOIDANCES_PER_STEP = 6, // of one thread; then for twice as long, until
    AVOIDANCES_STEPS = 8,
    XSTATE_MAGIC = 0x46505853, // FP_XSTATE_MAGIC1: the vector registers follow (asm/sigcontext.h)
    XSTATE_WORDS = 464,        // bytes from the start of the state to what says so: sw_reserved
};

// What a thread does.
enum parking {
    PARKING_ASKED,
    PARKING_AVOIDED, // it was in code to be avoided, and went on
    PARKING_PARKED,
    PARKING_LEFT,
};

struct kernel_action {
    void (*handler)(int number, siginfo_t *info, void *context);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static struct {
    struct stopped_threads *threads;
    struct stopping_options options;
    long pid;
    long caller;
    int error;
    uint64_t avoid_end_ms; // of letting them out of such code
    bool avoids;           // whether threads are still let out of such code
    bool reads_gs;
    _Atomic uint32_t may_go; // the parked shall leave
    struct kernel_action before;
} state;

static void sleep_ns(long ns)
{
    struct timespec span = {.tv_nsec = ns};
    (void)syscall_2(SYS_nanosleep, (long)&span, 0);
}

// --- in each thread
// ------------------------------------------------------------------------------

static uintptr_t own_block(void)
{
    uintptr_t address;
    __asm__("mov %%fs:0x10, %0" : "=r"(address)); // its own address (ABI)
    return address;
}

// All that the kernel has stored of the thread.
static void copy_registers(struct stopped_thread *thread, const ucontext_t *context)
{
    uint64_t *words = &state.threads->words[thread->first_word];
    size_t count = sizeof context->uc_mcontext.gregs / sizeof *words;
    memcpy(words, context->uc_mcontext.gregs, sizeof context->uc_mcontext.gregs);
    const char *extended = (const char *)context->uc_mcontext.fpregs;
    if (extended) {
        uint32_t said[2]; // a magic number, and the size with all extensions
        memcpy(said, extended + XSTATE_WORDS, sizeof said);
        size_t size = said[0] == XSTATE_MAGIC ? said[1] : sizeof(struct _libc_fpstate);
        size_t room = (STOPPED_WORDS_MAX - count) * sizeof *words;
        if (size > room) size = room;
        memcpy(&words[count], extended, size);
        count += size / sizeof *words;
    }
    if (state.reads_gs && count < STOPPED_WORDS_MAX) words[count++] = registers_gs();
    thread->word_count = count;
}

// libc's own use of the signal goes on.
static void hand_on(int number, siginfo_t *info, void *context)
{
    const uintptr_t before = (uintptr_t)state.before.handler;
    if (before != (uintptr_t)SIG_DFL && before != (uintptr_t)SIG_IGN) {
        state.before.handler(number, info, context);
    }
}

static void park(int number, siginfo_t *info, void *context_ptr)
{
    const ucontext_t *context = context_ptr;
    if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &state) {
        hand_on(number, info, context_ptr);
        return;
    }
    if (atomic_load(&state.may_go)) return; // too late
    struct stopped_thread *thread =
        stopped_threads_find(state.threads, (int)syscall_2(SYS_gettid, 0, 0));
    if (!thread) return;
    uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    if (state.avoids && stopping_avoids(&state.options, thread->tid, pc)) {
        atomic_store(&thread->parking, PARKING_AVOIDED);
        return;
    }
    thread->pc = pc;
    thread->sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
    thread->block = own_block();
    copy_registers(thread, context);
    // release, by seq_cst: pairs with the load in wait_for(), after which all of that is read
    atomic_store(&thread->parking, PARKING_PARKED);
    while (atomic_load(&state.may_go) == 0) {
        (void)syscall_4(SYS_futex, (long)&state.may_go, FUTEX_WAIT_PRIVATE, 0, 0);
    }
    atomic_store(&thread->parking, PARKING_LEFT);
}

__asm__(".text\n"
        ".type parked_threads_return, @function\n"
        "parked_threads_return:\n\t"
        "mov $15, %eax\n\t" // rt_sigreturn
        "syscall\n\t"
        "hlt\n"
        ".size parked_threads_return, . - parked_threads_return\n");
void parked_threads_return(void);

// --- in the caller
// -------------------------------------------------------------------------------

static bool send(struct stopped_thread *thread)
{
    atomic_store(&thread->parking, PARKING_ASKED);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = PARKING_SIGNAL;
    info.si_code = SI_QUEUE; // libc's own handler takes no notice of such a one
    info.si_pid = (pid_t)state.pid;
    info.si_value.sival_ptr = &state;
    long error =
        syscall_4(SYS_rt_tgsigqueueinfo, state.pid, thread->tid, PARKING_SIGNAL, (long)&info);
    if (error == -ESRCH) thread->is_gone = true;
    if (error && error != -ESRCH && !state.error) state.error = (int)error; // RLIMIT_SIGPENDING
    return error == 0;
}

struct round {
    size_t found;
};

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
    *thread = (struct stopped_thread){
        .tid = tid,
        .is_initial = tid == (int)state.pid,
        .first_word = self->count * STOPPED_WORDS_MAX,
    };
    self->count++; // before it looks for itself
    if (send(thread)) round->found++;
    return true;
}

// An ended initial thread is listed as long as its process lives, and takes signals.
static bool has_ended(const struct stopped_thread *thread)
{
    return thread->is_initial && thread_list_has_ended(state.pid, thread->tid);
}

// Waits until it is parked or gone. False: it is not to be had.
static bool wait_for(struct stopped_thread *thread)
{
    int avoided = 0;
    const uint64_t end_ms = clock_coarse_ms_direct() + WAIT_MS_MAX;
    for (int i = 0; !thread->is_gone && !state.error && clock_coarse_ms_direct() < end_ms; i++) {
        uint32_t parking = atomic_load(&thread->parking);
        if (parking == PARKING_PARKED) return true;
        if (parking == PARKING_AVOIDED) {
            const int step = avoided++ / AVOIDANCES_PER_STEP;
            sleep_ns(POLL_NS << (step < AVOIDANCES_STEPS
                                     ? step
                                     : AVOIDANCES_STEPS)); // or it gets no further
            state.avoids = clock_coarse_ms_direct() < state.avoid_end_ms;
            (void)send(thread);
        }
        if (i % 16 == 15 && has_ended(thread)) thread->is_gone = true;
        if (syscall_4(SYS_tgkill, state.pid, thread->tid, 0, 0) != 0) thread->is_gone = true;
        if (i > 10) sleep_ns(POLL_NS);
    }
    return thread->is_gone;
}

static void set_handler(const struct kernel_action *action, struct kernel_action *before_out)
{
    (void)syscall_4(SYS_rt_sigaction, PARKING_SIGNAL, (long)action, (long)before_out,
                    sizeof action->mask);
}

static void let_go(void)
{
    atomic_store(&state.may_go, 1);
    (void)syscall_4(SYS_futex, (long)&state.may_go, FUTEX_WAKE_PRIVATE, INT32_MAX, 0);
    // One that did not come may get its signal yet, which by default would end the process.
    bool is_late = state.error != 0;
    // What they run must stay what it is until they have left it.
    for (size_t i = 0; i < state.threads->count; i++) {
        struct stopped_thread *thread = &state.threads->threads[i];
        for (int polls = 0; polls < POLLS_MAX && !thread->is_gone; polls++) {
            if (atomic_load(&thread->parking) != PARKING_PARKED) break;
            sleep_ns(POLL_NS);
        }
    }
    if (!is_late || (uintptr_t)state.before.handler != (uintptr_t)SIG_DFL) {
        set_handler(&state.before, NULL);
    }
}

int threads_park(struct stopped_threads *self, const struct stopping_options *options)
{
    const struct kernel_action action = {
        .handler = park,
        .flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | SA_RESTORER,
        .restorer = parked_threads_return,
        .mask = ~UINT64_C(0),
    };
    state.threads = self;
    state.options = *options;
    state.pid = syscall_2(SYS_getpid, 0, 0);
    state.caller = syscall_2(SYS_gettid, 0, 0);
    state.error = 0;
    state.avoid_end_ms = clock_coarse_ms_direct() + AVOID_MS_MAX;
    state.avoids = true;
    state.reads_gs = registers_may_read_gs();
    atomic_store(&state.may_go, 0);
    set_handler(&action, &state.before);
    struct round round = {.found = 1};
    for (int i = 0; i < ROUNDS_MAX && round.found > 0 && !state.error; i++) {
        size_t first = self->count;
        round.found = 0;
        int error = thread_list_read(state.pid, ask, &round);
        if (error && !state.error) state.error = error;
        for (size_t j = first; j < self->count; j++) {
            if (!wait_for(&self->threads[j]) && !state.error) state.error = -EBUSY;
        }
    }
    if (round.found > 0 && !state.error) state.error = -EAGAIN;
    if (state.error) let_go();
    return state.error;
}

void threads_unpark(struct stopped_threads *self)
{
    (void)self;
    let_go();
}
