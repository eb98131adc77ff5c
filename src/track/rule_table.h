// Rule table: from a return address to its rule, for all threads. Reading takes no lock and never
// waits; a rule that is not there is compiled by whoever needs it, and put there if there is room.
//
// An entry's key is the address, mixed with the generation that the rule was compiled in.
// rule_table_forget() begins a new one, in which no older entry is found.
// Invariants: a key's rule stands in one of RULE_TABLE_WINDOW slots from the key's first on. A slot
// whose key is 0 or older is free; while it is being written its key is RULE_TABLE_BUSY.
// Async-signal-safe: who is interrupted for ever while it writes a slot costs that slot.
#pragma once

#include "base/attributes.h"
#include "track/rule.h"

#include <stdatomic.h>
#include <stdbool.h>

enum {
    RULE_TABLE_BITS = 17,
    RULE_TABLE_SLOTS = 1 << RULE_TABLE_BITS, // 2 MiB, resident as they fill
    // Rules kept at once: about half of the slots, as then most windows have room. Those beyond are
    // compiled each time.
    RULE_TABLE_WINDOW = 8,
    RULE_TABLE_BUSY = 1,
    RULE_TABLE_TAG_SHIFT = 48, // addresses of programs have 47 bits
};

struct rule_slot {
    _Atomic uint64_t key;
    _Atomic uint64_t rule; // the bits of a struct rule
};

extern struct rule_slot rule_table_slots[RULE_TABLE_SLOTS + RULE_TABLE_WINDOW];
extern _Atomic uint32_t rule_table_generation_number;

// What modules are loaded has changed, or is about to: of code that comes after, nothing is known.
// Called before a dlclose, so that nobody takes the old rules for new code, and after a dlopen.
void rule_table_forget(void);

// At first 1.
static ALWAYS_INLINE uint32_t rule_table_generation(void)
{
    // acquire: pairs with the release in rule_table_forget()
    return atomic_load_explicit(&rule_table_generation_number, memory_order_acquire);
}

static ALWAYS_INLINE uint64_t rule_table_key(uintptr_t address, uint32_t generation)
{
    return address ^ (uint64_t)generation << RULE_TABLE_TAG_SHIFT;
}

static ALWAYS_INLINE struct rule_slot *rule_table_window(uintptr_t address)
{
    const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15); // Knuth's multiplicative hash
    return &rule_table_slots[(uint64_t)address * golden >> (64 - RULE_TABLE_BITS)];
}

// Whether the slot's key is that one; then the bits of its rule.
static ALWAYS_INLINE bool rule_table_read(const struct rule_slot *slot, uint64_t key,
                                          uint64_t *bits_out)
{
    // acquire, twice: pair with the releases in write_slot(). The rule is the key's if the key
    // stood there before and after.
    if (UNLIKELY(atomic_load_explicit(&slot->key, memory_order_acquire) != key)) return false;
    *bits_out = atomic_load_explicit(&slot->rule, memory_order_acquire);
    return LIKELY(atomic_load_explicit(&slot->key, memory_order_relaxed) == key);
}

// The rule for that return address where it is not in its first slot. `recent` is the module that
// the caller looked into last, or zeroes; it is valid in the same generation only.
uint64_t rule_table_find_slow(uintptr_t address, uint32_t generation, struct code_module *recent);

static ALWAYS_INLINE struct rule rule_table_find(uintptr_t address, uint32_t generation,
                                                 struct code_module *recent)
{
    uint64_t key = rule_table_key(address, generation);
    uint64_t bits;
    if (UNLIKELY(!rule_table_read(rule_table_window(address), key, &bits))) {
        bits = rule_table_find_slow(address, generation, recent);
    }
    return rule_of_bits(bits);
}
