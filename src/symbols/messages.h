// Messages: what a resolver in another process tells, as bytes through a pipe.
// The reader trusts nothing: the writer may have crashed in the middle, or worse.
#pragma once

#include "symbols/resolver.h"

// Writing: a listener that writes to a descriptor. Full buffers go out at once, the rest by
// messages_flush().
struct messages_writer {
    int fd;
    char *bytes;
    size_t len;
    size_t capacity;
};

struct resolver_listener messages_writer_init(struct messages_writer *self, int fd);
// 0 or -errno.
int messages_flush(struct messages_writer *self);
void messages_writer_deinit(struct messages_writer *self);

// Reading: bytes in any portions; whole messages go to a listener.
struct messages_reader {
    const struct resolver_listener *listener;
    size_t offset_count; // names have indices below
    char *bytes;         // of a message that is not whole yet
    size_t len;
    size_t capacity;
};

void messages_reader_init(struct messages_reader *self, const struct resolver_listener *listener,
                          size_t offset_count);
// 0; -EBADMSG; -ENOMEM; what the listener said. Same as isolated_take_function.
int messages_read(void *reader, const void *bytes, size_t size);
void messages_reader_deinit(struct messages_reader *self);
