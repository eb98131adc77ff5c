#include "os/descriptor_room.h"

#include "os/syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

enum { MORE = 16 };

static bool set_limit(uint64_t soft, uint64_t hard)
{
    const struct rlimit limit = {soft, hard};
    return syscall_4(SYS_prlimit64, 0, RLIMIT_NOFILE, (long)&limit, 0) == 0;
}

void descriptor_room_begin(struct descriptor_room *self)
{
    *self = (struct descriptor_room){.is_made = false};
    struct rlimit limit;
    long fd = syscall_4(SYS_openat, AT_FDCWD, (long)"/", O_PATH | O_CLOEXEC, 0);
    if (fd >= 0) (void)syscall_2(SYS_close, fd, 0);
    if (fd != -EMFILE) return;
    if (syscall_4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit) != 0) return;
    self->soft = limit.rlim_cur;
    self->hard = limit.rlim_max;
    uint64_t room = self->hard - self->soft;
    if (room > 0) self->is_made = set_limit(self->soft + (room < MORE ? room : MORE), self->hard);
}

void descriptor_room_end(const struct descriptor_room *self)
{
    if (self->is_made) (void)set_limit(self->soft, self->hard);
}
