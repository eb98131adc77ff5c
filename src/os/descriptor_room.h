// Descriptor room: a few descriptors for ourselves in a process that has used up all it may have,
// where its soft limit is below the hard one. For a moment: other threads may use them, too.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct descriptor_room {
    uint64_t soft; // the limit as it was
    uint64_t hard;
    bool is_made;
};

// Where one is free, nothing happens. descriptor_room_end() follows.
void descriptor_room_begin(struct descriptor_room *self);
void descriptor_room_end(const struct descriptor_room *self);
