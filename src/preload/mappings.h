// Mappings: looks for libc's mmap and its like before main(): a child of _Fork() must not find the
// loader's lock held by a thread that it has not.
#pragma once

void mappings_find(void);
