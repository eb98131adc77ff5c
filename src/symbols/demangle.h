// Demangle: the names of C++ (Itanium ABI) and Rust (legacy and v0) for people, by libiberty.
// Names come from files that nobody vouches for: libiberty's own limit on recursion stays on, and
// what would come out longer than DEMANGLE_MAX is refused as it is written. Pure functions.
#pragma once

#include <stddef.h>

// Longest name made. Some names of a few hundred bytes stand for terabytes.
enum { DEMANGLE_MAX = 1 << 14 };

// A new string to free(), or NULL where the name is not mangled, too long or nonsense (libiberty
// takes mangled names of up to 1,024 bytes), or there is no memory.
char *demangle(const char *mangled);

// Where the name ends that the programmer gave: compilers hang a suffix on the parts and copies
// that they make of a function (.cold .part.N .isra.N .constprop.N .lto_priv.N .llvm.N), and symbol
// tables one for versions (@GLIBC_2.2.5, @@…).
size_t demangle_stem(const char *symbol);
