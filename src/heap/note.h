// Note: a block's 32 bits of ledger: 20 bits of site, 12 bits of slack (block size - requested
// size). Slack of 4095 and more stands in a side table, which spans have whose blocks are that
// large. Notes are written by the allocating thread before the block is handed out and read by
// whoever frees or resolves it; a span's arrays are made by whoever writes the first. A span
// without notes reads as site 0, slack 0.
#pragma once

#include "heap/span.h"

enum {
    NOTE_SITE_BITS = 20,
    NOTE_SITE_COUNT = 1 << NOTE_SITE_BITS, // site 0: allocated before observation began
    NOTE_SLACK_ESCAPE = (1 << (32 - NOTE_SITE_BITS)) - 1, // the side table knows
};

struct note {
    uint32_t site;
    uint32_t slack;
};

static inline uint32_t note_pack(uint32_t site, uint32_t slack)
{
    return site << (32 - NOTE_SITE_BITS) |
           (slack < NOTE_SLACK_ESCAPE ? slack : (uint32_t)NOTE_SLACK_ESCAPE);
}

// Whether the span's notes are followed by a side table: blocks up to there cannot have that much
// slack.
static inline bool note_has_side_table(const struct span *span)
{
    return !span_is_small(span) || span->block_size > NOTE_SLACK_ESCAPE;
}

// The number of notes, and of entries of the side table if there is one.
static inline uint32_t note_count(const struct span *span)
{
    return span_is_small(span) ? span->capacity : 1;
}

// Takes them off the span, which is going away, and gives their memory back. Whoever walks the span
// map may be about to forget them, so the second is for when the span has left it.
_Atomic uint32_t *notes_detach(struct span *span, size_t *size_out);
void notes_drop(_Atomic uint32_t *notes, size_t size);

// All read as zero again.
void notes_forget(struct span *span);

// Of the block at `index`. The first makes the arrays; without memory for them nothing is kept.
// Slack of 2^32 and more, which only whole pages can have, is kept as 2^32 - 1.
void note_write_slow(struct span *span, uint32_t index, uint32_t site, size_t slack);

static ALWAYS_INLINE void note_write(struct span *span, uint32_t index, uint32_t site, size_t slack)
{
    _Atomic uint32_t *notes = atomic_load_explicit(&span->notes, memory_order_acquire);
    if (UNLIKELY(!notes || note_has_side_table(span))) {
        note_write_slow(span, index, site, slack);
        return;
    }
    atomic_store_explicit(&notes[index], note_pack(site, (uint32_t)slack), memory_order_relaxed);
}

// Of a block that serves `size` requested bytes.
static ALWAYS_INLINE void note_block(struct span *span, const void *block, size_t size,
                                     uint32_t site)
{
    uint32_t index = span_is_small(span) ? span_index(span, (uintptr_t)block) : 0;
    note_write(span, index, site, span_block_size(span) - size);
}

struct note note_read_slow(const struct span *span, uint32_t index);

static ALWAYS_INLINE struct note note_read(const struct span *span, uint32_t index)
{
    const _Atomic uint32_t *notes = atomic_load_explicit(&span->notes, memory_order_acquire);
    if (UNLIKELY(!notes || note_has_side_table(span))) return note_read_slow(span, index);
    uint32_t packed = atomic_load_explicit(&notes[index], memory_order_relaxed);
    return (struct note){packed >> (32 - NOTE_SITE_BITS), packed & NOTE_SLACK_ESCAPE};
}
