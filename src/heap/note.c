#include "heap/note.h"

#include "heap/metadata.h"

#include <string.h>

// Only blocks above a page can have that much slack.
static bool has_slacks(const struct span *span)
{
    return !span_is_small(span) || span->block_size > NOTE_SLACK_ESCAPE;
}

static size_t note_bytes(const struct span *span)
{
    return (span_is_small(span) ? span->capacity : 1) * sizeof(uint32_t);
}

static uint32_t *take_zeroed(size_t size)
{
    uint32_t *array = metadata_take(METADATA_PLAIN, size);
    if (array) memset(array, 0, size);
    return array;
}

bool notes_make(struct span *span)
{
    if (span->notes) return true;
    uint32_t *notes = take_zeroed(note_bytes(span));
    uint32_t *slacks = has_slacks(span) ? take_zeroed(note_bytes(span)) : NULL;
    if (!notes || (has_slacks(span) && !slacks)) {
        if (notes) metadata_give(METADATA_PLAIN, notes, note_bytes(span));
        if (slacks) metadata_give(METADATA_PLAIN, slacks, note_bytes(span));
        return false;
    }
    span->slacks = slacks;
    span->notes = notes;
    return true;
}

void notes_drop(struct span *span)
{
    if (span->notes) metadata_give(METADATA_PLAIN, span->notes, note_bytes(span));
    if (span->slacks) metadata_give(METADATA_PLAIN, span->slacks, note_bytes(span));
    span->notes = NULL;
    span->slacks = NULL;
}

void note_write(struct span *span, uint32_t index, struct note note)
{
    if (!span->notes) return;
    span->notes[index] = note_pack(note.site, note.slack);
    if (span->slacks) span->slacks[index] = note.slack;
}

struct note note_read(const struct span *span, uint32_t index)
{
    if (!span->notes) return (struct note){0};
    uint32_t packed = span->notes[index];
    uint32_t slack = packed & NOTE_SLACK_ESCAPE;
    if (slack == NOTE_SLACK_ESCAPE && span->slacks) slack = span->slacks[index];
    return (struct note){.site = packed >> (32 - NOTE_SITE_BITS), .slack = slack};
}
