#include "os/console.h"

#include "os/syscall.h"

#include <errno.h>
#include <unistd.h>

void console_write(const char *bytes, size_t length)
{
    while (length > 0) {
        long written = syscall_4(SYS_write, STDERR_FILENO, (long)bytes, (long)length, 0);
        if (written == -EINTR) continue;
        if (written <= 0) return;
        bytes += written;
        length -= (size_t)written;
    }
}
