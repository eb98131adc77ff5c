#include "track/mappings.h"

#include "track/recorder.h"

#include <stdatomic.h>

static struct {
    _Atomic(struct record_mapping *) rows; // one per call, in their order; NULL: nobody records
} state;

static const char *const names[MAPPING_COUNT] = {
    [MAPPING_MMAP] = "mmap",
    [MAPPING_MUNMAP] = "munmap",
    [MAPPING_MREMAP] = "mremap",
    [MAPPING_BRK] = "brk",
};

bool mappings_begin(void)
{
    struct record_mapping *first = NULL;
    for (int i = 0; i < MAPPING_COUNT; i++) {
        uint32_t index;
        struct record_mapping *row =
            record_writer_add(&recorder.writer, RECORD_TABLE_mappings, &index);
        if (!row) return false;
        row->call = recorder_text(names[i]);
        record_writer_publish(&recorder.writer, RECORD_TABLE_mappings);
        if (i == 0) first = row;
    }
    // release: pairs with the acquire in mappings_count()
    atomic_store_explicit(&state.rows, first, memory_order_release);
    return true;
}

void mappings_end(void)
{
    atomic_store_explicit(&state.rows, NULL, memory_order_relaxed);
}

bool mappings_are_counted(void)
{
    return atomic_load_explicit(&state.rows, memory_order_relaxed) != NULL;
}

void mappings_count(enum mapping_call call, size_t bytes)
{
    struct record_mapping *rows = atomic_load_explicit(&state.rows, memory_order_acquire);
    if (!rows) return;
    __atomic_fetch_add(&rows[call].calls, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&rows[call].bytes, bytes, __ATOMIC_RELAXED);
}
