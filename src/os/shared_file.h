// Shared file: a file that one process writes as memory and others may map meanwhile. Its size is
// fixed when it is made; the file is sparse, and nothing but its mapping is kept: no descriptor, so
// that a program may close all of its own. Nothing here touches errno. Thread-safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct shared_file {
    char *bytes; // NULL: closed
    size_t size;
};

// Makes the file, which must not exist (also not as a link), readable by its owner alone, and maps
// it. `size` is a multiple of pages. 0, or -errno; -EFBIG when RLIMIT_FSIZE does not allow that
// size, as a write past it would end the process by SIGXFSZ.
int shared_file_create(const char *path, size_t size, struct shared_file *file_out);

// Makes whole pages of it writable without a fault. False when the file system has no room: a touch
// would be a SIGBUS.
bool shared_file_populate(void *address, size_t size);

// Puts private memory, all zero, in its place; the file stays as it is.
void shared_file_detach(struct shared_file *self);

// Removes the file of that name; a mapping of it stays.
void shared_file_remove(const char *path);

// Unmaps it; the file stays.
void shared_file_close(struct shared_file *self);

// How large a shared file may be made now: by the limits on files and on address space, of which it
// takes at most an eighth.
size_t shared_file_size_max(void);
