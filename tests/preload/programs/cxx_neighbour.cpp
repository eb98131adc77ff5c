// What operator new gives, in the hands of malloc's family: good with the libraries that have both.
// Argument: a part of the name of the object that operator new must come from.
#include "program.h"

#include <dlfcn.h>
#include <new>
#include <pthread.h>

static bool comes_from(const char *symbol, const char *object)
{
    Dl_info found;
    void *function = dlsym(RTLD_DEFAULT, symbol);
    return function && dladdr(function, &found) && strstr(found.dli_fname, object);
}

// Out of the compiler's sight, which sees a mismatch.
static char *hidden(void *pointer)
{
    void *volatile copy = pointer;
    return static_cast<char *>(copy);
}

static void *free_body(void *pointer)
{
    free(pointer);
    return nullptr;
}

static void try_size(size_t size)
{
    char *block = hidden(operator new(size));
    EXPECT(malloc_usable_size(block) >= size);
    memset(block, 7, size);
    block = hidden(realloc(block, size * 3));
    EXPECT(block && malloc_usable_size(block) >= size * 3);
    for (size_t i = 0; i < size; i++) EXPECT(block[i] == 7);
    block = hidden(realloc(block, size));
    EXPECT(block && block[0] == 7 && block[size - 1] == 7);
    operator delete(block); // it never left its heap
    block = hidden(reallocarray(hidden(new char[size]), 2, size));
    EXPECT(block && malloc_usable_size(block) >= size * 2);
    free(block);
    free(hidden(operator new(size, std::align_val_t(256))));
    free(hidden(operator new(size, std::nothrow)));
    pthread_t thread;
    EXPECT(pthread_create(&thread, nullptr, free_body, operator new(size)) == 0);
    EXPECT(pthread_join(thread, nullptr) == 0);
}

int main(int argc, char **argv)
{
    EXPECT(argc == 2 && comes_from("_Znwm", argv[1]));
    for (size_t i = 0; i < PROGRAM_SIZES; i++) try_size(program_sizes[i]);
    try_size(50 * MIB);
    exercise(1);
    return 0;
}
