#include "track/block_set.h"

#include "os/own_pages.h"

// The word of the granule in its leaf.
static size_t word_of(uintptr_t start)
{
    return (start & (((uintptr_t)1 << SPAN_MAP_LEAF_SHIFT) - 1)) / GRANULE / 64;
}

static struct block_set_root *get_root(struct block_set *self)
{
    struct block_set_root *root = atomic_load_explicit(&self->root, memory_order_acquire);
    if (root) return root;
    struct block_set_root *made = own_pages_map(sizeof *made);
    if (!made) return NULL;
    // release: pairs with the acquire of whoever reads the pointer
    if (atomic_compare_exchange_strong_explicit(&self->root, &root, made, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return made;
    }
    own_pages_unmap(made, sizeof *made); // another thread was first
    return root;
}

static struct block_set_leaf *get_leaf(struct block_set_root *root, size_t place)
{
    struct block_set_leaf *leaf = atomic_load_explicit(&root->leaves[place], memory_order_acquire);
    if (leaf) return leaf;
    struct block_set_leaf *made = own_pages_map(sizeof *made);
    if (!made) return NULL;
    // release: pairs with the acquire of whoever reads the pointer
    if (atomic_compare_exchange_strong_explicit(&root->leaves[place], &leaf, made,
                                                memory_order_acq_rel, memory_order_acquire)) {
        return made;
    }
    own_pages_unmap(made, sizeof *made);
    return leaf;
}

bool block_set_add(struct block_set *self, uintptr_t start)
{
    struct block_set_root *root = get_root(self);
    struct block_set_leaf *leaf = root ? get_leaf(root, start >> SPAN_MAP_LEAF_SHIFT) : NULL;
    if (!leaf) return false;
    atomic_fetch_or_explicit(&leaf->words[word_of(start)], span_bit(start), memory_order_relaxed);
    return true;
}

// NULL: no member has been near.
static _Atomic uint64_t *find_word(const struct block_set *self, uintptr_t start)
{
    struct block_set_root *root = atomic_load_explicit(&self->root, memory_order_acquire);
    if (!root) return NULL;
    struct block_set_leaf *leaf =
        atomic_load_explicit(&root->leaves[start >> SPAN_MAP_LEAF_SHIFT], memory_order_acquire);
    return leaf ? &leaf->words[word_of(start)] : NULL;
}

void block_set_remove(struct block_set *self, uintptr_t start)
{
    _Atomic uint64_t *word = find_word(self, start);
    if (word) atomic_fetch_and_explicit(word, ~span_bit(start), memory_order_relaxed);
}

bool block_set_has(const struct block_set *self, uintptr_t start)
{
    const _Atomic uint64_t *word = find_word(self, start);
    return word && (atomic_load_explicit(word, memory_order_relaxed) & span_bit(start));
}

void block_set_reset(struct block_set *self)
{
    struct block_set_root *root = atomic_load_explicit(&self->root, memory_order_acquire);
    if (!root) return;
    for (size_t i = 0; i < SPAN_MAP_ROOT_SLOTS; i++) {
        struct block_set_leaf *leaf = atomic_load_explicit(&root->leaves[i], memory_order_relaxed);
        if (leaf) own_pages_unmap(leaf, sizeof *leaf);
    }
    atomic_store_explicit(&self->root, NULL, memory_order_relaxed);
    own_pages_unmap(root, sizeof *root);
}
