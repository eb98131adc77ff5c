// Protects: captures are the full stack while and after C++ exceptions pass: in constructors,
// handlers, destructors that run while the stack is unwound.
#include "full_unwind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

extern "C" {
#include <cmocka.h>
}

#include <cstdlib>
#include <stdexcept>
#include <string>

static struct capture *capture;
static unsigned seed = 7;

static unsigned draw()
{
    seed = seed * 1103515245 + 12345;
    return seed >> 8;
}

struct guard {
    ~guard()
    {
        expect_full_stack(capture, RECORD_END_COMPLETE);
    }
};

__attribute__((noinline)) static unsigned fall(unsigned left)
{
    guard here;
    unsigned count = 0;
    if (left == 0) throw std::runtime_error("the end of " + std::to_string(draw()));
    try {
        count += fall(left - 1);
    } catch (const std::runtime_error &error) {
        expect_full_stack(capture, RECORD_END_COMPLETE);
        if (draw() % 3) throw;
        return (unsigned)error.what()[0];
    }
    return count + 1;
}

static void captures_are_right_while_exceptions_pass(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        try {
            (void)fall(draw() % 20);
        } catch (const std::exception &) {
            expect_full_stack(capture, RECORD_END_COMPLETE);
        }
    }
}

int main()
{
    capture = static_cast<struct capture *>(calloc(1, sizeof *capture));
    capture_init(capture);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures_are_right_while_exceptions_pass),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
