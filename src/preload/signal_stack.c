// Signal stack: a thread's alternate one is known to the kernel alone, which does not tell others;
// a block of the heap's that serves as one is in use. Where it is stands in the thread's own
// storage, which a look for leaks goes through.

#include "os/process.h"
#include "preload/export.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

EXPORT int sigaltstack(const stack_t *stack, stack_t *old);

int sigaltstack(const stack_t *stack, stack_t *old)
{
    static __thread void *volatile known __attribute__((unused)); // looked at from elsewhere
    const int error = process_set_signal_stack(stack, old);
    if (error) {
        errno = -error;
        return -1;
    }
    if (stack) known = stack->ss_flags & SS_DISABLE ? NULL : stack->ss_sp;
    return 0;
}
