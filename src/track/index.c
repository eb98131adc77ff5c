#include "track/index.h"

#include "base/align.h"
#include "os/own_pages.h"
#include "os/pages.h"

enum { ENTRIES_MIN = 255 }; // with the table's head a page

static size_t table_size(size_t entries)
{
    return align_up(sizeof(struct index_table) + entries * sizeof(struct index_entry), PAGE_SIZE);
}

static void put(struct index_table *table, uint64_t key, uint32_t more, uint32_t value)
{
    size_t i = index_hash(key, more);
    while (atomic_load_explicit(&table->entries[i & table->mask].value, memory_order_relaxed)) i++;
    struct index_entry *entry = &table->entries[i & table->mask];
    entry->key = key;
    entry->more = more;
    table->used++;
    // release: pairs with the acquire in index_find()
    atomic_store_explicit(&entry->value, value, memory_order_release);
}

// A table of that size with the same entries.
static struct index_table *copy(const struct index_table *old, size_t entries)
{
    struct index_table *table = own_pages_map(table_size(entries));
    if (!table) return NULL;
    // The entries fall on all of it at once.
    if (old) (void)pages_populate(table, table_size(entries)); // or they come one by one
    table->mask = entries - 1;
    for (size_t i = 0; old && i <= old->mask; i++) {
        uint32_t value = atomic_load_explicit(&old->entries[i].value, memory_order_relaxed);
        if (value) put(table, old->entries[i].key, old->entries[i].more, value);
    }
    return table;
}

static void unmap(struct index_table *table)
{
    if (table) own_pages_unmap(table, table_size(table->mask + 1));
}

bool index_reserve(struct index *self)
{
    struct index_table *table = atomic_load_explicit(&self->table, memory_order_relaxed);
    if (table && table->used <= table->mask / 2) return true;
    struct index_table *grown = copy(table, table ? (table->mask + 1) * 2 : ENTRIES_MIN + 1);
    if (!grown) return false;
    // release: pairs with the acquire in index_find(). Refused: index_renew() was meanwhile.
    bool is_ours = atomic_compare_exchange_strong_explicit(
        &self->table, &table, grown, memory_order_release, memory_order_relaxed);
    if (!is_ours) unmap(grown);
    return is_ours;
}

bool index_add(struct index *self, uint64_t key, uint32_t more, uint32_t row)
{
    if (!index_reserve(self)) return false;
    put(atomic_load_explicit(&self->table, memory_order_relaxed), key, more, row + 1);
    return true;
}

bool index_renew(struct index *self)
{
    const struct index_table *old = atomic_load_explicit(&self->table, memory_order_relaxed);
    if (!old) return true;
    struct index_table *renewed = copy(old, old->mask + 1);
    if (renewed) atomic_store_explicit(&self->table, renewed, memory_order_relaxed);
    return renewed != NULL;
}

size_t index_count(const struct index *self)
{
    const struct index_table *table = atomic_load_explicit(&self->table, memory_order_relaxed);
    return table ? table->used : 0;
}

bool index_add_alone(struct index *self, uint64_t key, uint32_t more, uint32_t row)
{
    struct index_table *old = atomic_load_explicit(&self->table, memory_order_relaxed);
    bool is_added = index_add(self, key, more, row);
    if (atomic_load_explicit(&self->table, memory_order_relaxed) != old) unmap(old);
    return is_added;
}

void index_drop(struct index *self)
{
    unmap(atomic_load_explicit(&self->table, memory_order_relaxed));
    atomic_store_explicit(&self->table, NULL, memory_order_relaxed);
}
