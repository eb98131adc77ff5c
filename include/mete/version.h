// Version: which mete this is, at compile time and at run time.
// The macros are the header's, the function is the library's: the two differ when a program runs
// with another libmete than it was built with. Room: base.
#pragma once

#define METE_VERSION_MAJOR 0
#define METE_VERSION_MINOR 1
#define METE_VERSION_PATCH 0
#define METE_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

// The version of the library that runs, as METE_VERSION spells it. Never NULL, never freed.
__attribute__((visibility("default"))) const char *mete_version(void);

#ifdef __cplusplus
}
#endif
