// Export: marks the functions that a program finds under libc's and jemalloc's names.
// Everything else in the preload object is hidden.
#pragma once

#define EXPORT __attribute__((visibility("default")))
