// Large pages: lets mete's own heap lie in pages of 2 MiB where the kernel has them. A recording's
// tables are read, sorted and written once, and of that a page fault for each 4 KiB is a large
// part: a third of all that mete itself takes for a program of 9000 sites. Belongs to the command
// line.
#pragma once

// From here on; where it cannot be, nothing changes. Before the first large allocation.
void large_pages_use(void);
