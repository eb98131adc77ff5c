// Rule: how to come from a return address to the next one up the stack, in eight bytes: where the
// caller's stack pointer (the CFA) is, and its base pointer. The return address is at CFA - 8.
// Made from a module's .eh_frame, of which every byte may be wrong: then the rule is that the stack
// ends there.
#pragma once

#include "os/code.h"
#include "record/tables.h"

#include <assert.h>
#include <stdint.h>

enum rule_cfa {
    RULE_MISSING = 0,  // no rule at all: what empty memory holds
    RULE_FROM_SP,      // CFA = sp + offset, a multiple of 8 above 0
    RULE_FROM_BP,      // CFA = bp + offset
    RULE_STORED_BY_BP, // CFA = the word at bp + offset: functions that realign their stack
    RULE_END,          // no further frame; `offset` is an enum record_stack_end
};

enum rule_bp {
    RULE_BP_SAME,
    RULE_BP_BY_CFA, // stored at CFA + bp_words * 8
    RULE_BP_BY_BP,  // stored at bp + bp_words * 8
    RULE_BP_LOST,   // not to be found
};

struct rule {
    uint8_t cfa; // enum rule_cfa
    uint8_t bp;  // enum rule_bp
    int16_t bp_words;
    int32_t offset;
};
static_assert(sizeof(struct rule) == sizeof(uint64_t), "a table of rules stores them atomically");

// The rule for code of `module` at `pc`: of a call its last byte, not where it returns to.
struct rule rule_compile(const struct code_module *module, uintptr_t pc);

static inline struct rule rule_end(enum record_stack_end reason)
{
    return (struct rule){.cfa = RULE_END, .offset = (int32_t)reason};
}

static inline uint64_t rule_bits(struct rule rule)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &rule, sizeof bits);
    return bits;
}

static inline struct rule rule_of_bits(uint64_t bits)
{
    struct rule rule;
    __builtin_memcpy(&rule, &bits, sizeof rule);
    return rule;
}
