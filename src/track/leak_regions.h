// Leak regions: memory that the program says is in use, wherever it lies
// (__lsan_register_root_region). Lock-free and async-signal-safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LEAK_REGIONS_MAX = 1024 };

// Past LEAK_REGIONS_MAX it is only known that there are more: then nobody can be accused.
void leak_regions_add(uintptr_t start, size_t size);
// One that was added in just this way.
void leak_regions_remove(uintptr_t start, size_t size);

bool leak_regions_are_whole(void);
void leak_regions_walk(void (*see)(void *context, uintptr_t start, uintptr_t end), void *context);
