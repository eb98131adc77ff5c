#include "heap/note.h"

#include "heap/metadata.h"

static size_t piece_size(const struct span *span)
{
    size_t arrays = note_has_side_table(span) ? 2 : 1;
    return arrays * note_count(span) * sizeof(uint32_t);
}

// Threads may be writing notes meanwhile: each word is one or the other.
static void clear(_Atomic uint32_t *words, size_t size)
{
    for (size_t i = 0; i < size / sizeof *words; i++) {
        atomic_store_explicit(&words[i], 0, memory_order_relaxed);
    }
}

// The span's notes, made if they are not there. NULL without memory.
static _Atomic uint32_t *ensure(struct span *span)
{
    // acquire: pairs with the release below: the array is zero, or holds what was written
    _Atomic uint32_t *notes = atomic_load_explicit(&span->notes, memory_order_acquire);
    if (notes) return notes;
    _Atomic uint32_t *made = metadata_take(METADATA_NOTES, piece_size(span));
    if (!made) return NULL;
    clear(made, piece_size(span));
    // release: pairs with the acquire of whoever reads the pointer
    if (atomic_compare_exchange_strong_explicit(&span->notes, &notes, made, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return made;
    }
    metadata_give(METADATA_NOTES, made, piece_size(span)); // another thread was first
    return notes;
}

_Atomic uint32_t *notes_detach(struct span *span, size_t *size_out)
{
    *size_out = piece_size(span);
    return atomic_exchange_explicit(&span->notes, NULL, memory_order_acq_rel);
}

void notes_drop(_Atomic uint32_t *notes, size_t size)
{
    if (notes) metadata_give(METADATA_NOTES, notes, size);
}

void notes_forget(struct span *span)
{
    _Atomic uint32_t *notes = atomic_load_explicit(&span->notes, memory_order_acquire);
    if (notes) clear(notes, piece_size(span));
}

void note_write_slow(struct span *span, uint32_t index, uint32_t site, size_t slack)
{
    uint32_t kept = slack < UINT32_MAX ? (uint32_t)slack : UINT32_MAX;
    if (site == 0 && kept == 0 && !atomic_load_explicit(&span->notes, memory_order_relaxed)) return;
    _Atomic uint32_t *notes = ensure(span);
    if (!notes) return;
    atomic_store_explicit(&notes[index], note_pack(site, kept), memory_order_relaxed);
    if (!note_has_side_table(span)) return;
    atomic_store_explicit(&notes[note_count(span) + index], kept, memory_order_relaxed);
}

struct note note_read_slow(const struct span *span, uint32_t index)
{
    const _Atomic uint32_t *notes = atomic_load_explicit(&span->notes, memory_order_acquire);
    if (!notes) return (struct note){0};
    uint32_t packed = atomic_load_explicit(&notes[index], memory_order_relaxed);
    uint32_t slack = packed & NOTE_SLACK_ESCAPE;
    if (slack == NOTE_SLACK_ESCAPE && note_has_side_table(span)) {
        slack = atomic_load_explicit(&notes[note_count(span) + index], memory_order_relaxed);
    }
    return (struct note){.site = packed >> (32 - NOTE_SITE_BITS), .slack = slack};
}
