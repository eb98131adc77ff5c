// Counting: a replaced pair of operators that count their calls.
#pragma once

#include <new>

extern volatile long counted_new;
extern volatile long counted_delete;

// How many more news than deletes there were before main().
long at_start();
