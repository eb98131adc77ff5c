// Kept heap: lets mete's own malloc keep what it once got from the kernel. A recording's tables are
// read, sorted, written and freed one after the other; memory that is mapped anew for each of them
// is a page fault for every 4 KiB. Not in pages of 2 MiB: they are taken from memory that rested
// longest, which on a virtual machine its host has to find first, at seven times the price. Belongs
// to the command line.
#pragma once

// From here on. Before the first large allocation.
void kept_heap_use(void);
