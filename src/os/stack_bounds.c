#include "os/stack_bounds.h"

#include "base/align.h"
#include "os/pages.h"
#include "os/syscall.h"

#include <stddef.h>
#include <sys/auxv.h>
#include <sys/resource.h>

#define MIB ((uintptr_t)1 << 20)

enum {
    // PTHREAD_STACK_MIN is 16 KiB, of which libc's thread block (below 4 KiB) stands at the top.
    THREAD_STACK_CERTAIN = 12 * 1024,
    THREAD_STACK_MIN = 16 * 1024,
    // Of the block: 2304 bytes in glibc 2.36, of which the stack's place is at 1680: within
    // STACK_BOUNDS_WORDS. It ends with the stack, but for alignment.
    THREAD_BLOCK_MAX = 8 * 1024,
    LOWER_MAX = 1 << 14, // pages at once (64 MiB): what a look at them costs is 2 ms
};

// Where the limit is raised later, or unlimited, the kernel kept clear less than it says.
static const uintptr_t initial_stack_default = 8 * MIB;
static const uintptr_t initial_stack_max = 64 * MIB;

static uintptr_t initial_stack_size(void)
{
    struct rlimit limit = {0};
    (void)syscall_4(SYS_prlimit64, 0, RLIMIT_STACK, 0, (long)&limit); // refused: 0, nothing
    if (limit.rlim_cur == RLIM_INFINITY) return initial_stack_default;
    return limit.rlim_cur < initial_stack_max ? align_down(limit.rlim_cur, PAGE_SIZE)
                                              : initial_stack_max;
}

static uintptr_t thread_block(void)
{
    uintptr_t address;
    __asm__("mov %%fs:0x10, %0" : "=r"(address)); // its own address (ABI)
    return address;
}

bool stack_bounds_of_block(uintptr_t block, const uintptr_t *words, struct stack_bounds *bounds_out,
                           bool *has_guard_out)
{
    for (int i = 0; i + 2 < STACK_BOUNDS_WORDS; i++) {
        uintptr_t start = words[i];
        uintptr_t size = words[i + 1];
        uintptr_t guard_size = words[i + 2];
        uintptr_t past_block = start + size - block; // where it ends
        if (start < block && size >= THREAD_STACK_MIN && size < start && guard_size < size &&
            past_block > 0 && past_block <= THREAD_BLOCK_MAX) {
            // The guard is its lowest pages.
            *has_guard_out = guard_size > 0;
            *bounds_out = (struct stack_bounds){.low = start + guard_size, .high = start + size};
            return true;
        }
    }
    return false;
}

void stack_bounds_init(struct stack_bounds *self)
{
    uintptr_t high = thread_block();
    uintptr_t size = THREAD_STACK_CERTAIN;
    struct stack_bounds whole;
    bool has_guard;
    if (stack_bounds_of_block(high, (const uintptr_t *)high, &whole, &has_guard)) {
        size = high - whole.low;
    } else if (syscall_2(SYS_gettid, 0, 0) == syscall_2(SYS_getpid, 0, 0)) {
        high = align_down(getauxval(AT_RANDOM), sizeof(uintptr_t)); // above every frame
        size = initial_stack_size();
    }
    self->high = high;
    self->low = align_up(high > size ? high - size : high, sizeof(uintptr_t));
}

bool stack_bounds_lower(struct stack_bounds *self, uintptr_t sp)
{
    uintptr_t low = align_down(sp, PAGE_SIZE);
    if (low >= self->low || (self->low - low) / PAGE_SIZE > LOWER_MAX) return false;
    for (uintptr_t page = low; page < self->low; page += PAGE_SIZE) {
        if (!pages_are_readable(page)) return false;
    }
    self->low = low;
    return true;
}
