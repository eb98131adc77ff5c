#include "track/sites.h"

#include "base/align.h"
#include "os/own_pages.h"
#include "os/pages.h"
#include "track/index.h"
#include "track/modules.h"
#include "track/recorder.h"

#include <string.h>

// What is asked for every allocation is one look: `calls`. It forgets when code goes; the others
// know what is in the recording.
static struct {
    struct index calls;  // (address and generation, parent) -> node
    struct index frames; // (offset, module) -> frame
    struct index nodes;  // (frame, parent) -> node
    struct index sites;  // (name's place in `bytes`, node; end) -> site
    struct index names;  // (hash, how many others have it) -> name's place
} state;

_Atomic uint32_t sites_generation;
__typeof__(sites_known) sites_known;

static bool add_site(const struct record_site *site, uint32_t *index_out)
{
    struct record_site *row = record_writer_add(&recorder.writer, RECORD_TABLE_sites, index_out);
    if (!row) return false;
    *row = *site;
    return record_writer_publish(&recorder.writer, RECORD_TABLE_sites);
}

static struct sites_known *map_known(uint32_t count)
{
    return own_pages_map(align_up(count * sizeof *sites_known.nodes, PAGE_SIZE));
}

bool sites_begin(void)
{
    uint32_t count = recorder.writer.tables[RECORD_TABLE_nodes].capacity + 1;
    sites_known.nodes = map_known(count);
    if (!sites_known.nodes) return false;
    sites_known.count = count;
    static const struct record_site first[] = {
        [SITE_BEFORE] = {.node = RECORD_NONE, .kind = RECORD_SITE_BEFORE},
        [SITE_SIGNAL] = {.node = RECORD_NONE, .kind = RECORD_SITE_SIGNAL},
        [SITE_OTHERS] = {.node = RECORD_NONE, .kind = RECORD_SITE_OTHERS},
        [SITE_THREAD] = {.node = RECORD_NONE, .kind = RECORD_SITE_THREAD},
    };
    uint32_t index;
    for (uint32_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        if (!add_site(&first[i], &index)) return false;
    }
    return true;
}

bool sites_renew(void)
{
    struct index *all[] = {&state.calls, &state.frames, &state.nodes, &state.sites, &state.names};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!index_renew(all[i])) return false;
    }
    const uint32_t used = record_writer_count(&recorder.writer, RECORD_TABLE_nodes) + 1;
    struct sites_known *nodes = map_known(sites_known.count);
    if (!nodes) return false;
    const uint32_t most = used < sites_known.count ? used : sites_known.count;
    memcpy(nodes, sites_known.nodes, most * sizeof *nodes);
    sites_known.nodes = nodes; // what has no key yet is found the long way
    return true;
}

// --- adding, with the lock
// --------------------------------------------------------------------------
// A row is published before it can be found: a child forked in between, or a handler that jumps
// out, must not find what is not there.

static uint32_t add_frame(uintptr_t pc)
{
    uint64_t offset;
    uint32_t module = modules_find(pc, &offset);
    uint32_t frame = index_find(&state.frames, offset, module);
    if (frame != RECORD_NONE) return frame;
    if (!index_reserve(&state.frames)) return RECORD_NONE;
    struct record_frame *row = record_writer_add(&recorder.writer, RECORD_TABLE_frames, &frame);
    if (!row) return RECORD_NONE;
    row->offset = offset;
    row->module = module;
    if (!record_writer_publish(&recorder.writer, RECORD_TABLE_frames)) return RECORD_NONE;
    (void)index_add(&state.frames, offset, module, frame); // there is room
    return frame;
}

static uint32_t add_node(uint32_t parent, uint32_t frame)
{
    uint32_t node = index_find(&state.nodes, frame, parent);
    if (node != RECORD_NONE) return node;
    if (!index_reserve(&state.nodes)) return RECORD_NONE;
    struct record_node *row = record_writer_add(&recorder.writer, RECORD_TABLE_nodes, &node);
    if (!row) return RECORD_NONE;
    row->parent = parent;
    row->frame = frame;
    if (!record_writer_publish(&recorder.writer, RECORD_TABLE_nodes)) return RECORD_NONE;
    (void)index_add(&state.nodes, frame, parent, node); // there is room
    return node;
}

// Calls of code that is gone are never found again, and stay: so not more than that of them.
static bool calls_are_many(void)
{
    enum { CALLS_PER_NODE = 4, CALLS_MIN = 4096 };
    size_t nodes = record_writer_count(&recorder.writer, RECORD_TABLE_nodes);
    return index_count(&state.calls) > nodes * CALLS_PER_NODE + CALLS_MIN;
}

// The first from its parent, or the first since what addresses mean has changed.
static void note_first_call(uint32_t parent, uint64_t key, uint32_t node)
{
    enum { GENERATION_SHIFT = 47 };
    if (parent + 1 >= sites_known.count) return;
    struct sites_known *known = &sites_known.nodes[parent + 1];
    uint64_t old = atomic_load_explicit(&known->key, memory_order_relaxed);
    if (old && old >> GENERATION_SHIFT == key >> GENERATION_SHIFT) return;
    // release: pair with the acquires in sites_first_call()
    atomic_store_explicit(&known->key, 0, memory_order_release);
    atomic_store_explicit(&known->node, node, memory_order_release);
    atomic_store_explicit(&known->key, key, memory_order_release);
}

static NOINLINE uint32_t add(uint32_t parent, uintptr_t pc, uint64_t key)
{
    recorder_take();
    uint32_t node = index_find(&state.calls, key, parent); // another thread may have been first
    if (node == RECORD_NONE) {
        uint32_t frame = add_frame(pc);
        if (frame != RECORD_NONE) node = add_node(parent, frame);
        // Without memory it is found the long way next time.
        if (node != RECORD_NONE) {
            if (!calls_are_many()) (void)index_add(&state.calls, key, parent, node);
            note_first_call(parent, key, node);
        }
    }
    recorder_give();
    return node;
}

// --- finding
// ----------------------------------------------------------------------------------------

uint32_t sites_node(uint32_t parent, uintptr_t pc)
{
    uint64_t key = sites_call_key(pc);
    uint32_t node = index_find(&state.calls, key, parent);
    return LIKELY(node != RECORD_NONE) ? node : add(parent, pc, key);
}

static ALWAYS_INLINE uint64_t site_key(const struct record_site *row)
{
    return (uint64_t)row->name.offset << 32 | row->node; // the first bytes are no name
}

static NOINLINE uint32_t add_stack(const struct record_site *row)
{
    recorder_take();
    uint32_t site = index_find(&state.sites, site_key(row), row->end);
    uint32_t added;
    if (site == RECORD_NONE && index_reserve(&state.sites) && add_site(row, &added)) {
        (void)index_add(&state.sites, site_key(row), row->end, added); // there is room
        site = added;
    }
    bool is_complete = site != RECORD_NONE && row->end == RECORD_END_COMPLETE && !row->name.size;
    if (is_complete && row->node + 1 < sites_known.count) {
        // release: pairs with the acquire in sites_known_site()
        atomic_store_explicit(&sites_known.nodes[row->node + 1].site, site + 1,
                              memory_order_release);
    }
    recorder_give();
    return site != RECORD_NONE ? site : SITE_OTHERS;
}

static uint32_t find_stack(const struct record_site *row)
{
    uint32_t site = index_find(&state.sites, site_key(row), row->end);
    return LIKELY(site != RECORD_NONE) ? site : add_stack(row);
}

uint32_t sites_find(uint32_t node, uint32_t end, uint32_t depth)
{
    return find_stack(&(struct record_site){.node = node, .end = end, .depth = depth});
}

// --- names
// ---------------------------------------------------------------------------------------

// Not in the middle of a letter (UTF-8).
static size_t name_size(const char *name)
{
    size_t size = 0;
    while (size <= SITE_NAME_MAX && name[size]) size++;
    if (size <= SITE_NAME_MAX) return size;
    size = SITE_NAME_MAX;
    while (size > 0 && ((unsigned char)name[size] & 0xc0) == 0x80) size--;
    return size;
}

// FNV-1a.
static uint64_t name_hash(const char *name, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

// They end with a zero in the recording.
static bool is_name(uint32_t place, const char *name, size_t size)
{
    const char *known = recorder_row(RECORD_TABLE_bytes, place);
    for (size_t i = 0; i < size; i++) {
        if (known[i] != name[i]) return false; // also at its end: there is no zero in `name`
    }
    return known[size] == 0;
}

// The number of those with that hash that are there before it, or in all.
static uint32_t find_name(uint64_t hash, const char *name, size_t size, uint32_t *count_out)
{
    for (uint32_t i = 0;; i++) {
        uint32_t place = index_find(&state.names, hash, i);
        *count_out = i;
        if (place == RECORD_NONE || is_name(place, name, size)) return place;
    }
}

// The name in the recording; empty without room.
static struct record_text text_of_name(const char *name)
{
    char copy[SITE_NAME_MAX + 1] = {0};
    const size_t size = name_size(name);
    const uint64_t hash = name_hash(name, size);
    if (size == 0) return (struct record_text){0};
    memcpy(copy, name, size);
    uint32_t count;
    uint32_t place = find_name(hash, copy, size, &count);
    if (place == RECORD_NONE) {
        recorder_take();
        place = find_name(hash, copy, size, &count); // another thread may have been first
        const bool has_room = place == RECORD_NONE && index_count(&state.names) < SITE_NAMES_MAX;
        if (has_room && index_reserve(&state.names)) {
            const struct record_text text = record_writer_text(&recorder.writer, copy, size + 1);
            if (text.size > 0) place = text.offset;
            if (text.size > 0) (void)index_add(&state.names, hash, count, place); // there is room
        }
        recorder_give();
    }
    if (place == RECORD_NONE) return (struct record_text){0};
    return (struct record_text){place, (uint32_t)size};
}

uint32_t sites_find_named(uint32_t node, uint32_t end, uint32_t depth, const char *name)
{
    return find_stack(&(struct record_site){
        .node = node,
        .end = end,
        .depth = depth,
        .name = text_of_name(name),
    });
}

void sites_forget_code(void)
{
    recorder_take();
    // release: whoever sees it finds the modules as they are now
    if (modules_refresh()) {
        atomic_fetch_add_explicit(&sites_generation, 1, memory_order_release);
    }
    recorder_give();
}
