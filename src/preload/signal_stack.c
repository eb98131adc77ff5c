// Signal stack: a thread's alternate one is known to the kernel alone, which does not tell others;
// a block of the heap's that serves as one is in use. Where it is stands in the thread's own
// storage, which a look for leaks goes through; and where the one before was, which is in use again
// when a handler that has set another returns.

#include "os/process.h"
#include "preload/export.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

EXPORT int sigaltstack(const stack_t *stack, stack_t *old);

int sigaltstack(const stack_t *stack, stack_t *old)
{
    static __thread struct {
        void *volatile now;
        void *volatile before;
    } known __attribute__((unused)); // looked at from elsewhere
    stack_t was;                     // where `old` is `stack`, which the kernel reads first
    const int error = process_set_signal_stack(stack, old == stack ? &was : old);
    if (error) {
        errno = -error;
        return -1;
    }
    if (stack) {
        known.before = known.now;
        known.now = stack->ss_flags & SS_DISABLE ? NULL : stack->ss_sp;
    }
    if (old && old == stack) *old = was;
    return 0;
}
