#include "heap/locate.h"

bool locate_large(uintptr_t address, struct located *out)
{
    const struct span *span = span_map_find(address);
    if (!span || span_is_small(span)) return false;
    *out = (struct located){span, 0, span->base};
    return span_state(span) == SPAN_LARGE || span_state(span) == SPAN_DIRECT;
}
