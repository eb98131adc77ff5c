// Purge policy: how much free memory may stay resident.
// As much as was in use a moment ago, and a little more, since a program that gives memory back
// mostly wants it again, and the page faults would cost more than all else here (measured: a fixed
// limit cost 20 % of CPU). What it does not want again the helper fetches.
//
// Whoever calls holds the page heap's lock.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct purge_policy {
    size_t keep_bytes; // the little more: a setting
    bool is_exact;     // a setting too: nothing but that
    size_t used_peak;  // most bytes in use since window_ms, and in the window before
    size_t used_peak_before;
    uint64_t window_ms;
};

// So many bytes are in use now.
void purge_policy_note_used(struct purge_policy *self, size_t used_bytes);

// How many free bytes may be resident while so many are in use.
size_t purge_policy_limit(struct purge_policy *self, size_t used_bytes, uint64_t now_ms);
