// Note: a block's 32 bits of ledger: 20 bits of site, 12 bits of slack (block size - requested size).
// Slack of 4095 and more stands in a side table, which spans have whose blocks are that large.
// Notes are written by the allocating thread before the block is handed out and read by whoever frees
// or resolves it. A span without notes reads as site 0, slack 0.
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

// Makes the span's arrays if they are not there. False without memory: its notes read as zero.
bool notes_make(struct span *span);

// Gives them back, if there are any.
void notes_drop(struct span *span);

// Of the block at `index`. `slack` larger than 32 bits cannot be: blocks that large are whole pages.
void note_write(struct span *span, uint32_t index, struct note note);
struct note note_read(const struct span *span, uint32_t index);
