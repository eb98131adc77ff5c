// Deepbind: whoever looks for malloc in libc itself finds ours.
//
// A library that is loaded with RTLD_DEEPBIND (PHP's, for instance) looks into its own dependencies
// first, and dlsym() into those of the library it is asked about (Python's ctypes,
// most foreign function interfaces). Both find libc's own malloc and free, and sooner or later one
// frees what the other gave. So before the program loads its first library, the family's entries in
// libc's symbol table, in this process's private copy of it, are made to lead to ours. (Not at the
// start: it makes 13 pages private, and most programs load none.) Who looked before that has
// libc's, and blocks of it: see neighbour.h.
#pragma once

// In the child of a fork, which is alone.
void deepbind_forked(void);
