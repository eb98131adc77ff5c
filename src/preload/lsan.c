// LeakSanitizer's interface (sanitizer/lsan_interface.h), for programs that were written for it: it
// does here what it does there, but that no check ends the process, and that what is suppressed by
// name is left out when somebody reads the recording. Where nobody observes all of it does nothing.
#include "os/registers.h"
#include "preload/export.h"
#include "preload/observe.h"
#include "track/leak_regions.h"
#include "track/ledger.h"

#include <stddef.h>

EXPORT void __lsan_disable(void);
EXPORT void __lsan_enable(void);
EXPORT void __lsan_ignore_object(const void *object);
EXPORT void __lsan_register_root_region(const void *start, size_t size);
EXPORT void __lsan_unregister_root_region(const void *start, size_t size);
EXPORT void __lsan_do_leak_check(void);
EXPORT int __lsan_do_recoverable_leak_check(void);

// What this thread allocates until the other call is not to be told.
void __lsan_disable(void)
{
    leaks_ignoring++;
}

void __lsan_enable(void)
{
    if (leaks_ignoring > 0) leaks_ignoring--;
}

void __lsan_ignore_object(const void *object)
{
    if (observe_is_on()) ledger_ignore(object);
}

// All of the process's memory is looked at anyway, but for blocks that nothing leads to.
void __lsan_register_root_region(const void *start, size_t size)
{
    if (observe_is_on()) leak_regions_add((uintptr_t)start, size);
}

void __lsan_unregister_root_region(const void *start, size_t size)
{
    if (observe_is_on()) leak_regions_remove((uintptr_t)start, size);
}

// Now instead of at the end.
void __lsan_do_leak_check(void)
{
    const struct preserved_registers caller = registers_preserved();
    (void)observe_look_for_leaks(&caller, LEAKS_AT_END); // the recording says it
}

// Now, and again at the end; whether something is lost.
int __lsan_do_recoverable_leak_check(void)
{
    const struct preserved_registers caller = registers_preserved();
    return observe_look_for_leaks(&caller, LEAKS_MEANWHILE);
}
