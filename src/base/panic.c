#include "base/panic.h"

#include "base/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "mete runs on Linux x86-64; another architecture enters the kernel in another way"
#endif

// The kernel entered directly: write() is a cancellation point, so that a thread with a pending
// pthread_cancel() would end here, alone, and leave the process alive. Bytes written or -errno.
static long write_some(const char *bytes, size_t length)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_write), "D"(STDERR_FILENO), "S"(bytes), "d"(length)
                     : "rcx", "r11", "memory");
    return result;
}

// A write may be cut short by a signal or a pipe; so go on until the line is out.
static void write_line(struct text *line)
{
    size_t done = 0;
    while (done < line->length) {
        long count = write_some(line->bytes + done, line->length - done);
        if (count == -EINTR) continue;
        if (count <= 0) break; // nobody listens: abort() is still the message
        done += (size_t)count;
    }
}

_Noreturn COLD void panic(const char *verb, const void *pointer, const char *reason)
{
    char buffer[256];
    struct text line = text_in(buffer, sizeof buffer - 1); // one byte kept for the newline
    text_add(&line, "mete: ");
    text_add(&line, verb);
    text_add(&line, "(");
    text_add_hex(&line, (uintptr_t)pointer);
    text_add(&line, "): ");
    text_add(&line, reason);
    line.capacity++;
    text_add(&line, "\n");
    write_line(&line);
    abort();
}

_Noreturn COLD void panic_plain(const char *reason)
{
    char buffer[256];
    struct text line = text_in(buffer, sizeof buffer - 1); // one byte kept for the newline
    text_add(&line, "mete: ");
    text_add(&line, reason);
    line.capacity++;
    text_add(&line, "\n");
    write_line(&line);
    abort();
}
