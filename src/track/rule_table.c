#include "track/rule_table.h"

#include "os/lock.h"

struct rule_slot rule_table_slots[RULE_TABLE_SLOTS + RULE_TABLE_WINDOW];
_Atomic uint32_t rule_table_generation_number = 1;

static const uint32_t tag_mask = 0xffff; // of a generation, what a key holds

// Takes the slot if nobody else does, and fills it.
static bool write_slot(struct rule_slot *slot, uint64_t expected, uint64_t key, uint64_t bits)
{
    if (!atomic_compare_exchange_strong_explicit(&slot->key, &expected, RULE_TABLE_BUSY,
                                                 memory_order_relaxed, memory_order_relaxed)) {
        return false;
    }
    // release, twice: pair with the acquires in rule_table_read(). Whoever sees the new rule sees
    // that the old key has gone; whoever sees the new key sees the new rule.
    atomic_store_explicit(&slot->rule, bits, memory_order_release);
    atomic_store_explicit(&slot->key, key, memory_order_release);
    return true;
}

static bool is_free(uint64_t key, uint32_t generation)
{
    if (key == RULE_TABLE_BUSY) return false;
    return key == 0 || (uint32_t)(key >> RULE_TABLE_TAG_SHIFT) != (generation & tag_mask);
}

static void keep(uintptr_t address, uint32_t generation, uint64_t bits)
{
    struct rule_slot *window = rule_table_window(address);
    uint64_t key = rule_table_key(address, generation);
    for (int i = 0; i < RULE_TABLE_WINDOW; i++) {
        uint64_t found = atomic_load_explicit(&window[i].key, memory_order_relaxed);
        if (found == key) return; // another thread was faster
        if (is_free(found, generation) && write_slot(&window[i], found, key, bits)) return;
    }
}

// A handler may jump out of here at any place: what it leaves is no module, or a whole one.
static bool find_module(uintptr_t pc, struct code_module *recent)
{
    struct code_module found;
    if (!code_find_module(pc, &found)) return false;
    const struct link_map *link_map = found.link_map; // without it, it holds nothing
    found.link_map = NULL;
    recent->link_map = NULL;
    atomic_signal_fence(memory_order_seq_cst);
    *recent = found;
    atomic_signal_fence(memory_order_seq_cst);
    recent->link_map = link_map;
    return true;
}

NOINLINE uint64_t rule_table_find_slow(uintptr_t address, uint32_t generation,
                                       struct code_module *recent)
{
    const struct rule_slot *window = rule_table_window(address);
    uint64_t key = rule_table_key(address, generation);
    for (int i = 1; i < RULE_TABLE_WINDOW; i++) {
        uint64_t bits;
        if (rule_table_read(&window[i], key, &bits)) return bits;
    }
    uintptr_t pc = address - 1; // of the call: what it returns to may be another function
    // libc unloads some modules without a word (those of iconv): what was there is asked anew.
    if (!code_module_holds(recent, pc) && !find_module(pc, recent)) {
        return rule_bits(rule_end(RECORD_END_NO_RULE)); // not kept: JIT code comes and goes
    }
    uint64_t bits = rule_bits(rule_compile(recent, pc));
    keep(address, generation, bits);
    return bits;
}

void rule_table_forget(void)
{
    // release: pairs with the acquire in rule_table_generation()
    uint32_t generation =
        atomic_fetch_add_explicit(&rule_table_generation_number, 1, memory_order_release) + 1;
    if ((generation & tag_mask) != 0) return;
    // The tags begin anew: what is left of their last round must not be found.
    for (int i = 0; i < RULE_TABLE_SLOTS + RULE_TABLE_WINDOW; i++) {
        atomic_store_explicit(&rule_table_slots[i].key, 0, memory_order_relaxed);
    }
}
