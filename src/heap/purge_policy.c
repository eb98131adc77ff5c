#include "heap/purge_policy.h"

enum { WINDOW_MS = 1000 }; // how long a moment is: one to two of these (guess)

void purge_policy_note_used(struct purge_policy *self, size_t used_bytes)
{
    if (used_bytes > self->used_peak) self->used_peak = used_bytes;
}

size_t purge_policy_limit(struct purge_policy *self, size_t used_bytes, uint64_t now_ms)
{
    if (now_ms >= self->window_ms + WINDOW_MS) {
        self->used_peak_before = self->used_peak;
        self->used_peak = used_bytes;
        self->window_ms = now_ms;
    }
    purge_policy_note_used(self, used_bytes);
    size_t peak =
        self->used_peak > self->used_peak_before ? self->used_peak : self->used_peak_before;
    size_t keep = self->keep_bytes < PTRDIFF_MAX / 2 ? self->keep_bytes : PTRDIFF_MAX / 2;
    return self->is_exact ? keep : keep + peak - used_bytes;
}
