// Panic: the end of a process whose heap, or whose use of it, can no longer be trusted.
// One line goes to fd 2 without allocating, then abort(), though signals come in between or the
// thread is about to be cancelled. The wording is part of the interface:
//   mete: VERB(0xADDRESS): REASON
// CHECK is always on: cheap tests of what the user's program could have corrupted.
// ASSERT is on in debug builds (-DMETE_DEBUG=1): our own preconditions and invariants.
#pragma once

#include "base/attributes.h"

#ifndef METE_DEBUG
#define METE_DEBUG 0
#endif

// `verb` is the function that the user called, `pointer` what it was given, `reason` what that is.
_Noreturn COLD void panic(const char *verb, const void *pointer, const char *reason);

// One line "mete: REASON" without a pointer, for conditions that no call of the user's names.
_Noreturn COLD void panic_plain(const char *reason);

#define CHECK_TEXT_(x) #x
#define CHECK_LINE_(line) CHECK_TEXT_(line)
#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (UNLIKELY(!(x))) {                                                                      \
            panic_plain("heap corrupted: " #x " at " __FILE__ ":" CHECK_LINE_(__LINE__));          \
        }                                                                                          \
    } while (0)

#define ASSERT(x)                                                                                  \
    do {                                                                                           \
        if (METE_DEBUG && UNLIKELY(!(x))) {                                                        \
            panic_plain("assertion failed: " #x " at " __FILE__ ":" CHECK_LINE_(__LINE__));        \
        }                                                                                          \
    } while (0)
