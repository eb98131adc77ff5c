// Stacks: as many different ones as a program wants.
#pragma once

#include <stddef.h>

static void *volatile stacks_sink; // so that no call is optimised away

// Calls `leaf` at a stack of its own for each `way` above 0, log2(way) frames deep.
static __attribute__((noinline, noclone)) void wind(unsigned long way, void (*leaf)(void))
{
    if (way > 1 && way % 2) {
        wind(way / 2, leaf);
    } else if (way > 1) {
        wind(way / 2, leaf);
    } else {
        leaf();
    }
    stacks_sink = NULL; // no tail calls
}
