#include "cli/byte_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int byte_source_of_file(struct byte_source *self, int fd)
{
    struct stat file;
    if (fstat(fd, &file) < 0) return -errno;
    if (!S_ISREG(file.st_mode)) return -EINVAL;
    *self = (struct byte_source){.size = (uint64_t)file.st_size, .fd = fd};
    return 0;
}

struct byte_source byte_source_of_memory(const void *bytes, size_t size)
{
    return (struct byte_source){.size = size, .fd = -1, .memory = bytes};
}

bool byte_source_read(const struct byte_source *self, uint64_t offset, void *buffer, size_t size)
{
    if (offset > self->size || size > self->size - offset) return false;
    if (self->memory) {
        memcpy(buffer, self->memory + offset, size);
        return true;
    }
    size_t done = 0;
    while (done < size) {
        const ssize_t count =
            pread(self->fd, (char *)buffer + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false; // it was cut short meanwhile
        done += (size_t)count;
    }
    return true;
}

void *byte_source_load(const struct byte_source *self, uint64_t offset, uint64_t size, size_t limit)
{
    if (size > limit || offset > self->size || size > self->size - offset) return NULL;
    char *buffer = malloc((size_t)size + 1);
    if (!buffer) return NULL;
    if (!byte_source_read(self, offset, buffer, (size_t)size)) {
        free(buffer);
        return NULL;
    }
    buffer[size] = '\0';
    return buffer;
}
