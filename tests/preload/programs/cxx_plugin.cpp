// A C++ library for a program that is not: loaded with RTLD_LOCAL, it brings its C++ library along.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

static thread_local std::vector<std::string> history;

// A block for the C program to free(), made of strings that were thrown about.
extern "C" char *describe(int count)
{
    std::string text;
    try {
        for (int i = 0; i < count; i++) text += "and " + std::to_string(i) + ' ';
        history.push_back(text);
        throw std::runtime_error(text);
    } catch (const std::exception &error) {
        char *copy = static_cast<char *>(std::malloc(std::strlen(error.what()) + 1));
        return copy ? std::strcpy(copy, error.what()) : nullptr;
    }
}

// Takes a block that the C program made.
extern "C" void consume(void *block)
{
    std::free(block);
}

// Takes one that this library made with new.
extern "C" void *create()
{
    return new std::string(1000, 'c');
}

extern "C" void destroy(void *text)
{
    delete static_cast<std::string *>(text);
}
