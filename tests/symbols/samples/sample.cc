// What test_resolve.py names: a chain of inlined functions, templates, an unnamed namespace, a
// lambda, code that is moved away as cold.
#include <cstdio>
#include <cstdlib>

#define NOINLINE __attribute__((noinline, noclone))
#ifndef TITLE
#define TITLE "one"
#endif
#define INLINED inline __attribute__((always_inline))

NOINLINE void *allocate(unsigned long size)
{
    void *block = malloc(size);
    if (!block) {
        fprintf(stderr, "no memory\n");
        abort();
    }
    return block;
}

namespace one
{
template <class T> struct Box {
    T *items = nullptr;
    NOINLINE T get(T value)
    {
        free(allocate(sizeof(T)));
        return items ? *items + value : value + 1;
    }
    INLINED T *put(T value)
    {
        items = static_cast<T *>(allocate(sizeof(T)));
        *items = get(value);
        return items;
    }
};

namespace
{
NOINLINE int hidden(int value)
{
    auto twice = [&](int other) NOINLINE -> int {
        free(allocate(8));
        return value + other;
    };
    free(allocate(static_cast<unsigned long>(value)));
    return twice(2) + 1;
}
} // namespace
} // namespace one

NOINLINE int shown(int value)
{
    one::Box<int> box;
    free(box.put(value));
    free(box.put(value + 1));
    return one::hidden(value) + 1;
}

int main(int argc, char **)
{
    printf("%d\n", shown(argc));
    puts(TITLE);
    return 0;
}
