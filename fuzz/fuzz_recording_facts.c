// Any file as a recording: what it is called can be part of a file's name, and only what begins as
// a recording is one. (The reader itself is fuzzed by fuzz_recording.)
#include "cli/recording_facts.h"

#include "record/tables.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (fd < 0) fd = memfd_create("recording", MFD_CLOEXEC);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size) return 0;
    const struct recording_facts facts = recording_facts_read(fd);
    if (memchr(facts.program, 0, sizeof facts.program) == NULL) abort();
    if (strpbrk(facts.program, "/\n\t\x1b\x7f")) abort();
    const int begins = size >= 8 && memcmp(data, RECORD_MAGIC, 8) == 0;
    if (facts.is_recording != begins || (facts.has_process && !begins)) abort();
    return 0;
}
