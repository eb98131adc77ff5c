// What <mete/stats.h> calls by weak symbols. Where nobody observes it does nothing.
#include "mete/stats.h"

#include "os/registers.h"
#include "preload/export.h"
#include "preload/observe.h"
#include "track/ledger.h"

EXPORT void mete_observer_track(const void *memory, size_t size, const char *name);
EXPORT void mete_observer_untrack(const void *memory);

void mete_observer_track(const void *memory, size_t size, const char *name)
{
    const struct registers caller = registers_of_caller();
    if (observe_is_on()) ledger_track(&caller, memory, size, name);
}

void mete_observer_untrack(const void *memory)
{
    if (observe_is_on()) ledger_untrack(memory);
}
