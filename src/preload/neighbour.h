// Neighbour: another allocator that the program is linked with (jemalloc, tcmalloc, mimalloc),
// behind us. Its malloc is never reached, but its C++ operators are, and what they give may come to
// our free(), realloc() and malloc_usable_size(), which must know what to do with it. Where there
// is none it is libc's own heap, once somebody has found the way to it (dlsym(RTLD_NEXT,
// "malloc")).
#pragma once

// Looks for one, and tells the heap of it. Called once, at start.
void neighbour_find(void);
