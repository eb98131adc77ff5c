// What C++ promises when memory is short, and when it is asked for with an alignment.
#include "program.h"

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

static int handler_calls;

static void give_up_the_third_time()
{
    if (++handler_calls == 3) std::set_new_handler(nullptr);
}

static void throw_something_else()
{
    throw std::bad_alloc();
}

static size_t hidden(size_t size)
{
    volatile size_t value = size;
    return value;
}

static void *volatile seen; // what the compiler must not leave out

template <typename Exception, typename Action> static bool throws(Action action)
{
    try {
        action();
    } catch (const Exception &) {
        return true;
    }
    return false;
}

struct alignas(256) Wide {
    char bytes[256];
};

int main()
{
    const size_t huge = hidden(PTRDIFF_MAX);
    EXPECT(throws<std::bad_alloc>([=] { seen = ::operator new(huge); }));
    EXPECT(throws<std::bad_alloc>([=] { seen = new char[huge]; }));
    EXPECT(throws<std::bad_alloc>([=] { seen = new long[huge]; })); // clang has no subclass for it
    EXPECT(throws<std::length_error>([=] {
        std::vector<long> many(huge);
        seen = many.data();
    }));
    EXPECT((seen = ::operator new(huge, std::nothrow)) == nullptr);

    std::set_new_handler(give_up_the_third_time);
    EXPECT(throws<std::bad_alloc>([=] { seen = ::operator new(huge); }));
    EXPECT(handler_calls == 3);
    handler_calls = 0;
    std::set_new_handler(give_up_the_third_time);
    EXPECT((seen = ::operator new(huge, std::nothrow)) == nullptr);
    EXPECT(handler_calls == 3);
    std::set_new_handler(throw_something_else);
    EXPECT((seen = ::operator new(huge, std::nothrow)) == nullptr);
    std::set_new_handler(nullptr);

    for (int i = 0; i < 100; i++) {
        Wide *wide = new Wide;
        Wide *several = new Wide[3];
        EXPECT(reinterpret_cast<uintptr_t>(wide) % 256 == 0);
        EXPECT(reinterpret_cast<uintptr_t>(several) % 256 == 0);
        delete wide;
        delete[] several;
        void *page = ::operator new(100, std::align_val_t(4096));
        EXPECT(reinterpret_cast<uintptr_t>(page) % 4096 == 0);
        ::operator delete(page, std::align_val_t(4096));
    }
    return 0;
}
