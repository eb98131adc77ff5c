// Any file as a recording: nothing is read outside it, and the program's name can be part of a
// file's.
#include "cli/recording_facts.h"

#include "record/tables.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct byte_source source = byte_source_of_memory(data, size);
    const struct recording_facts facts = recording_facts_read(&source);
    if (memchr(facts.program, 0, sizeof facts.program) == NULL) abort();
    if (strpbrk(facts.program, "/\n\t\x1b\x7f")) abort();
    const int begins = size >= 8 && memcmp(data, RECORD_MAGIC, 8) == 0;
    if (facts.is_recording != begins || (facts.has_process && !begins)) abort();
    return 0;
}
