// Any bytes as a module's unwind information: nothing outside of them is read, and every rule that
// comes out is one that the walk knows.
#include "track/rule.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) abort();
}

static void check(struct rule rule)
{
    require(rule.bp <= RULE_BP_LOST);
    switch (rule.cfa) {
    case RULE_FROM_SP: require(rule.offset > 0 && rule.offset % 8 == 0); break;
    case RULE_FROM_BP:
    case RULE_STORED_BY_BP: break;
    case RULE_END: require(rule.offset >= 0 && rule.offset <= RECORD_END_UNSUPPORTED); break;
    default: abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    // First where the code is, from the search table on, and where in the bytes that is.
    int32_t offset;
    uint16_t table;
    if (size < sizeof offset + sizeof table) return 0;
    memcpy(&offset, data, sizeof offset);
    memcpy(&table, data + sizeof offset, sizeof table);
    data += sizeof offset + sizeof table;
    size -= sizeof offset + sizeof table;
    uint8_t *bytes = malloc(size + 1); // a copy, of which the sanitizer knows the end
    if (!bytes) return 0;
    memcpy(bytes, data, size);
    uint8_t *end = realloc(bytes, size ? size : 1);
    if (end) bytes = end;
    struct code_module module = {
        .search_table = (uintptr_t)bytes + table,
        .unwind_start = (uintptr_t)bytes,
        .unwind_end = (uintptr_t)bytes + size,
    };
    uintptr_t pc = module.search_table + (uintptr_t)(intptr_t)offset;
    check(rule_compile(&module, pc));
    for (uintptr_t i = 1; i < 64; i++) check(rule_compile(&module, pc + i));
    free(bytes);
    return 0;
}
