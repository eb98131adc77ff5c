#include "heap/note.h"

#include "heap/metadata.h"

#include <string.h>

static size_t piece_size(const struct span *span)
{
    size_t arrays = note_has_side_table(span) ? 2 : 1;
    return arrays * note_count(span) * sizeof(uint32_t);
}

// The span's notes, made if they are not there. NULL without memory.
static uint32_t *ensure(struct span *span)
{
    // acquire: pairs with the release below: the array is zero, or holds what was written
    uint32_t *notes = atomic_load_explicit(&span->notes, memory_order_acquire);
    if (notes) return notes;
    uint32_t *made = metadata_take(METADATA_NOTES, piece_size(span));
    if (!made) return NULL;
    memset(made, 0, piece_size(span));
    // release: pairs with the acquire of whoever reads the pointer
    if (atomic_compare_exchange_strong_explicit(&span->notes, &notes, made, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return made;
    }
    metadata_give(METADATA_NOTES, made, piece_size(span)); // another thread was first
    return notes;
}

uint32_t *notes_detach(struct span *span, size_t *size_out)
{
    *size_out = piece_size(span);
    return atomic_exchange_explicit(&span->notes, NULL, memory_order_acq_rel);
}

void notes_drop(uint32_t *notes, size_t size)
{
    if (notes) metadata_give(METADATA_NOTES, notes, size);
}

void notes_forget(struct span *span)
{
    uint32_t *notes = atomic_load_explicit(&span->notes, memory_order_acquire);
    if (notes) memset(notes, 0, piece_size(span));
}

void note_write(struct span *span, uint32_t index, uint32_t site, size_t slack)
{
    uint32_t kept = slack < UINT32_MAX ? (uint32_t)slack : UINT32_MAX;
    if (site == 0 && kept == 0 && !atomic_load_explicit(&span->notes, memory_order_relaxed)) return;
    uint32_t *notes = ensure(span);
    if (!notes) return;
    notes[index] = note_pack(site, kept);
    if (note_has_side_table(span)) notes[note_count(span) + index] = kept;
}

struct note note_read(const struct span *span, uint32_t index)
{
    const uint32_t *notes = atomic_load_explicit(&span->notes, memory_order_acquire);
    if (!notes) return (struct note){0};
    uint32_t slack = notes[index] & NOTE_SLACK_ESCAPE;
    if (slack == NOTE_SLACK_ESCAPE && note_has_side_table(span)) {
        slack = notes[note_count(span) + index];
    }
    return (struct note){.site = notes[index] >> (32 - NOTE_SITE_BITS), .slack = slack};
}
