// Shared file: a file that one process writes as memory and others may map meanwhile. Its size is
// fixed when it is made, and the file is sparse. It is made of pieces, one after the other in the
// file and in the address space, and of each only the beginning is mapped, which grows where it is:
// nothing is reserved for the rest, so limits on address space and mlockall() meet what is used.
// Addresses never change. Nothing but the mappings is kept: no descriptor, so that a program may
// close all of its own. Nothing here touches errno. Thread-safe, but for one file.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { SHARED_FILE_PIECES_MAX = 16 };

// Both are multiples of pages; mapped <= room.
struct shared_piece {
    size_t room;   // in the file
    size_t mapped; // of it; at least a page of what shall grow
};

struct shared_file {
    char *bytes; // of the first piece; NULL: closed
    size_t size;
    struct shared_piece pieces[SHARED_FILE_PIECES_MAX];
    unsigned piece_count;
    bool is_detached;
};

// Makes the file, which must not exist (also not as a link), readable by its owner alone, and maps
// of each piece at least what it says. 0, or -errno; -EFBIG when RLIMIT_FSIZE does not allow that
// size, as a write past it would end the process by SIGXFSZ.
int shared_file_create(const char *path, const struct shared_piece *pieces, unsigned piece_count,
                       struct shared_file *file_out);

// Where a piece begins.
char *shared_file_piece(const struct shared_file *self, unsigned piece);

// Maps at least the first `size` bytes of a piece. False, and nothing has changed: without address
// space, or a program has put something of its own there.
bool shared_file_extend(struct shared_file *self, unsigned piece, size_t size);

// Puts private memory, all zero, in place of what is mapped, which no longer grows; the file stays
// as it is.
void shared_file_detach(struct shared_file *self);

// Removes the file of that name; a mapping of it stays.
void shared_file_remove(const char *path);

// Unmaps it; the file stays.
void shared_file_close(struct shared_file *self);

// How large a shared file may be made now: by the limits on files and on address space, of which it
// takes at most an eighth; and what a larger one would be refused with: -EFBIG or -ENOMEM.
struct shared_file_limit {
    size_t size;
    int error;
};
struct shared_file_limit shared_file_limit(void);
