#include "os/directory.h"

#include "os/syscall.h"

#include <stdint.h>

enum { LIST_SIZE = 4 * 1024 }; // of names at a time

struct directory_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

int directory_read(int folder, bool (*see)(void *context, const char *name), void *context)
{
    _Alignas(8) char entries[LIST_SIZE];
    long count;
    bool goes_on = true;
    do {
        count = syscall_4(SYS_getdents64, folder, (long)entries, sizeof entries, 0);
        for (long at = 0; at < count && goes_on;) {
            const struct directory_entry *entry = (const void *)&entries[at];
            goes_on = see(context, entry->name);
            at += entry->size;
        }
    } while (count > 0 && goes_on);
    return count < 0 ? (int)count : 0;
}
