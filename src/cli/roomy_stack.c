#include "cli/roomy_stack.h"

#include "os/pages.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

static const size_t wanted = (size_t)1 << 20;
static const size_t given = (size_t)8 << 20;

static struct {
    ucontext_t at_home;
    ucontext_t away;
    int (*run)(char **words);
    char **words;
    int status;
} state;

static void run_away(void)
{
    state.status = state.run(state.words);
}

int roomy_stack_run(int (*run)(char **words), char **words)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_STACK, &limit) < 0 || limit.rlim_cur >= wanted) return run(words);
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
    // The page before it stays unreadable: an overflow is to be a fault.
    char *stack = mmap(NULL, PAGE_SIZE + given, PROT_NONE, flags, -1, 0);
    if (stack == MAP_FAILED || getcontext(&state.away) < 0) return run(words);
    stack += PAGE_SIZE;
    if (mprotect(stack, given, PROT_READ | PROT_WRITE) < 0) return run(words);
    state.run = run;
    state.words = words;
    state.away.uc_stack = (stack_t){.ss_sp = stack, .ss_size = given};
    state.away.uc_link = &state.at_home;
    makecontext(&state.away, run_away, 0);
    (void)swapcontext(&state.at_home, &state.away); // fails only without memory, which is there
    return state.status;
}
