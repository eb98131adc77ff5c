#include "shapes.h"

#include "full_unwind.h"

#include "base/attributes.h"

#include <alloca.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void use(void *bytes)
{
    __asm__ volatile("" ::"r"(bytes) : "memory");
}

static NOINLINE void plain(struct path *path)
{
    path->next(path);
    NO_TAIL_CALL;
}

// The same slots, another return address.
static NOINLINE void plain_too(struct path *path)
{
    path->next(path);
    NO_TAIL_CALL;
}

static NOINLINE void with_locals(struct path *path)
{
    char bytes[136];
    use(bytes);
    path->next(path);
    use(bytes);
}

// Registers that survive calls are saved, rbp among them.
static NOINLINE void with_registers(struct path *path)
{
    unsigned long a = path->seed, b = a * 3, c = a ^ 5, d = a + 7, e = a / 9, f = a << 3;
    path->next(path);
    __asm__ volatile("" ::"r"(a), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f));
    unsigned long again = a + b + c + d + e + f;
    path->next == NULL ? use(&again) : (void)0;
}

static NOINLINE void with_alloca(struct path *path)
{
    char *bytes = alloca(16 + path->seed % 400);
    use(bytes);
    path->next(path);
    use(bytes);
}

static NOINLINE void with_alignment(struct path *path)
{
    _Alignas(128) char bytes[128];
    use(bytes);
    path->next(path);
    use(bytes);
}

// Realigned, with arguments on the stack and a frame of unknown size: found by a stored CFA.
static NOINLINE void with_everything(struct path *path, long b, long c, long d, long e, long f,
                                     long g, long h)
{
    _Alignas(64) char bytes[64];
    char *more = alloca(16 + path->seed % 100);
    use(bytes);
    use(more);
    path->next(path);
    use(more);
    long sum = b + c + d + e + f + g + h;
    use(&sum);
    use(bytes);
}

static NOINLINE void last_call(struct path *path)
{
    path->next(path); // a jump: this frame is gone
}

static NOINLINE void tail_call(struct path *path)
{
    if (path->seed % 2) {
        last_call(path);
        return;
    }
    plain(path);
}

static __thread struct path *sorting;

static int compare_by_walking(const void *left, const void *right)
{
    (void)left;
    (void)right;
    struct path *path = sorting;
    sorting = NULL;
    if (path) path->next(path);
    return 0;
}

// By way of another library, and of its PLT.
static NOINLINE void by_sorting(struct path *path)
{
    int numbers[2] = {1, 2};
    sorting = path;
    qsort(numbers, 2, sizeof numbers[0], compare_by_walking);
    use(numbers);
}

static NOINLINE void with_frame_pointer(struct path *path)
{
    use(__builtin_frame_address(0));
    path->next(path);
    NO_TAIL_CALL;
}

void shape_call(struct path *path)
{
    static void (*const shapes[])(struct path *) = {
        plain,     plain_too, with_locals, with_registers, with_alloca,        with_alignment,
        last_call, tail_call, by_sorting,  with_registers, with_frame_pointer, plain,
    };
    const unsigned count = sizeof shapes / sizeof shapes[0];
    unsigned which = path->seed % (count + 1);
    if (which == count) {
        with_everything(path, 1, 2, 3, 4, 5, 6, 7);
    } else {
        shapes[which](path);
    }
    NO_TAIL_CALL;
}
