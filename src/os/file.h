// File: bytes of regular files, for what runs afterwards, in mete's own process.
// Results are 0 or a count, or -errno. Short reads happen only at the end of the file, short writes
// never. Not for the inside of somebody else's process: these are libc's calls.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Opens for reading; never waits and never makes a terminal ours. -EISDIR for a folder, -ESPIPE for
// what is no regular file.
int file_open(const char *path, int *fd_out);
void file_close(int fd);

// Its length, and how much of it takes space: holes do not.
int file_size(int fd, uint64_t *size_out, uint64_t *space_out);

// How many of `size` bytes at `offset` were there.
ssize_t file_read_at(int fd, uint64_t offset, void *out, size_t size);

// All of them at the descriptor's place, or an error.
int file_write(int fd, const void *bytes, size_t size);
