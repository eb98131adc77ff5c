#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, int *fd_out)
{
    // O_NONBLOCK: a pipe without a writer would keep us here.
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return -errno;
    struct stat st;
    int error = 0;
    if (fstat(fd, &st) != 0) {
        error = -errno;
    } else if (S_ISDIR(st.st_mode)) {
        error = -EISDIR;
    } else if (!S_ISREG(st.st_mode)) {
        error = -ESPIPE;
    }
    if (error) {
        file_close(fd);
        return error;
    }
    *fd_out = fd;
    return 0;
}

void file_close(int fd)
{
    (void)close(fd); // nothing was written, or the writer has looked at each write
}

int file_size(int fd, uint64_t *size_out, uint64_t *space_out)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return -errno;
    *size_out = (uint64_t)st.st_size;
    // Blocks are rounded up, and some file systems do not know them yet while they write.
    const uint64_t space = (uint64_t)st.st_blocks * 512;
    *space_out = space > 0 && space < *size_out ? space : *size_out;
    return 0;
}

ssize_t file_read_at(int fd, uint64_t offset, void *out, size_t size)
{
    if (offset > INT64_MAX - size) return 0; // no file is that long
    size_t done = 0;
    while (done < size) {
        const ssize_t count = pread(fd, (char *)out + done, size - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        if (count == 0) break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

int file_write(int fd, const void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t count = write(fd, (const char *)bytes + done, size - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return -errno;
        if (count == 0) return -EIO; // no file system does this
        done += (size_t)count;
    }
    return 0;
}
