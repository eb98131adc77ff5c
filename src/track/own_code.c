#include "track/own_code.h"

#include "os/code.h"

struct own_code own_code;

void own_code_set(uintptr_t start, uintptr_t end)
{
    own_code.start = start;
    own_code.size = end - start;
}

void own_code_find(void)
{
    struct code_module module;
    if (code_find_module((uintptr_t)&own_code_find, &module)) {
        own_code_set(module.start, module.end);
    }
}
