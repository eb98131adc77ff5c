// Process end: how a process ended, as its parent knows.
#pragma once

#include <stdint.h>

struct process_end {
    int status;           // as wait() gave it
    uint64_t duration_ms; // since its command began
    uint64_t end_ms;      // when, by CLOCK_MONOTONIC
};
