// Model: what the heap should hold: a table of slots, each empty or with a block whose size and
// contents are known. Any thread may visit any slot; a slot's lock orders them. Whatever the heap
// does otherwise than it should is told on fd 2, and the process aborted.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef MODEL_IS_SANITIZED
#define MODEL_IS_SANITIZED 0
#endif

enum {
    // A sanitizer's code needs thread-local storage, which the helper thread has not.
    MODEL_USES_HELPER = !MODEL_IS_SANITIZED,
    MODEL_SLOTS = MODEL_IS_SANITIZED ? 1 << 13 : 1 << 17,
};

// How visits of a round go.
struct model_plan {
    unsigned
        fill_percent; // how often an empty slot is filled; a full one is freed in the other cases
    unsigned slot_count; // of the table; the others rest
    unsigned large_percent;
    bool may_fail; // memory may run out
    bool resolves; // heap_resolve() amid everything
};

struct model_thread {
    uint64_t random;
    const struct model_plan *plan;
};

void model_init(void);

// One operation on a slot at random.
void model_visit(struct model_thread *thread);

// The next of a series of numbers.
uint64_t model_random(uint64_t *state);

// Begins or ends an observation that verifies the note of each block that is freed. Nobody visits.
void model_observe(bool begin);

// Compares the table with heap_walk(), and the sums with what the caller counted. Nobody visits.
// With `is_observed`, blocks from this observation must have their notes.
void model_check(bool is_observed, size_t live_blocks, size_t live_bytes);

// Frees everything.
void model_empty(void);

uint64_t model_visits(void);
uint64_t model_failures(void);

_Noreturn void model_fail(const char *what, const void *block, size_t got, size_t wanted);
