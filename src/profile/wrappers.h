// Wrappers: the functions that allocate on behalf of others. The first function outward that is
// none of them is who a report names. docs/rows.md lists them for people. Constant.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Patterns that belong together; each list ends with NULL.
struct wrapper_group {
    const char *title;
    const char *const *patterns; // of folded names: fold()
};

extern const struct wrapper_group wrapper_groups[];
extern const size_t wrapper_groups_count;

// Modules that are nothing but wrappers, by the last part of their paths; ends with NULL.
extern const char *const wrapper_modules[];

bool wrapper_is_function(const char *name);
bool wrapper_is_module(const char *module);

// Those of them that every program begins in: who names a row only where there is nobody else.
bool wrapper_is_base_module(const char *module);
