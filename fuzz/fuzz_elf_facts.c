// Any file as a program: nothing is read outside it, and what is said of it are words of ours.
#include "cli/elf_facts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct byte_source source = byte_source_of_memory(data, size);
    const struct elf_facts facts = elf_facts_read(&source);
    if (memchr(facts.loader, 0, sizeof facts.loader) == NULL) abort();
    if (facts.kind != ELF_NATIVE && (facts.has_loader || facts.sanitizer || facts.allocator)) {
        abort();
    }
    if (facts.sanitizer && strstr(facts.sanitizer, "Sanitizer") == NULL) abort();
    return 0;
}
