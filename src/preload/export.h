// Export: marks the functions that a program finds under libc's and jemalloc's names.
// Everything else in the preload object is hidden; preload.map lists the same names once more.
#pragma once

#define EXPORT __attribute__((visibility("default")))
