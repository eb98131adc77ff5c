// Aside: leaves a process alone that a sanitizer was built into and that would not bear our malloc:
// AddressSanitizer ends where its library is not the first, ThreadSanitizer where memory lies that
// it does not expect, and LeakSanitizer would find nothing. Such a program begins anew, without us.
#pragma once

// What it stands for is done long before: while the loader relocates us, before any constructor and
// any call of malloc.
void aside_look(void);
