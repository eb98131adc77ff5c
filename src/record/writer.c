#include "record/writer.h"

#include "base/align.h"
#include "os/pages.h"
#include "record/description.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

// --- how large
// ---------------------------------------------------------------------------------------

// Room in the file: rows at the largest, which `shift` halves again and again, and at the least.
// The largest are as many sites as have ever been seen (a browser: some hundred thousand), and for
// the rest what goes with them; together some 160 MiB of sparse file.
struct room {
    uint32_t most;
    uint32_t least;
};
static const struct room rooms[RECORD_TABLE_COUNT] = {
    [RECORD_TABLE_process] = {1, 1},
    [RECORD_TABLE_modules] = {8192, 256},
    [RECORD_TABLE_frames] = {1 << 18, 4096},
    [RECORD_TABLE_nodes] = {RECORD_NODES_MAX, 8192},
    [RECORD_TABLE_sites] = {RECORD_SITES_MAX, 1024},
    [RECORD_TABLE_rows] = {1 << 18, 2048},
    [RECORD_TABLE_threads] = {4096, 64},
    [RECORD_TABLE_timeline] = {RECORD_TIMELINE_MAX, RECORD_TIMELINE_MAX},
    [RECORD_TABLE_lost] = {16, 16},
    [RECORD_TABLE_mappings] = {8, 8},
    [RECORD_TABLE_leaks] = {1 << 17, 1024},
    [RECORD_TABLE_bytes] = {1 << 22, 1 << 16},
};
enum { SHIFT_MAX = 9 };

// --- the file
// ---------------------------------------------------------------------------------------

static uint32_t room_of(enum record_table table, unsigned shift)
{
    uint32_t rows = rooms[table].most >> shift;
    return rows > rooms[table].least ? rows : rooms[table].least;
}

static size_t table_size(enum record_table table, unsigned shift)
{
    return align_up((size_t)room_of(table, shift) * record_tables[table].row_size, PAGE_SIZE);
}

static size_t file_size(unsigned shift)
{
    size_t size = RECORD_HEADER_SIZE;
    for (enum record_table i = 0; i < RECORD_TABLE_COUNT; i++) size += table_size(i, shift);
    return size;
}

// The header, and each table's first page.
static int make_file(const char *path, unsigned shift, struct shared_file *file_out)
{
    struct shared_piece pieces[1 + RECORD_TABLE_COUNT] = {
        {RECORD_HEADER_SIZE, RECORD_HEADER_SIZE},
    };
    static_assert(1 + RECORD_TABLE_COUNT <= SHARED_FILE_PIECES_MAX, "a piece for each table");
    for (enum record_table i = 0; i < RECORD_TABLE_COUNT; i++) {
        size_t room = table_size(i, shift);
        pieces[1 + i] = (struct shared_piece){room, room > 0 ? PAGE_SIZE : 0};
    }
    return shared_file_create(path, pieces, 1 + RECORD_TABLE_COUNT, file_out);
}

static void describe(struct record_writer *self, unsigned shift)
{
    struct record_header *file = (struct record_header *)(void *)self->file.bytes;
    static struct record_header
        header; // one thread at a time begins a file; its stack may be small
    memset(&header, 0, sizeof header);
    record_describe(&header);
    uint64_t offset = RECORD_HEADER_SIZE;
    for (enum record_table i = 0; i < RECORD_TABLE_COUNT; i++) {
        struct record_table_entry *entry = &header.tables[i];
        entry->offset = offset;
        entry->capacity = room_of(i, shift);
        self->tables[i] = (struct record_writer_table){
            .rows = self->file.bytes + offset,
            .row_size = entry->row_size,
            .capacity = room_of(i, shift),
        };
        offset += table_size(i, shift);
    }
    // The magic last: without it the file is no recording.
    const size_t magic = sizeof header.magic;
    memcpy((char *)file + magic, (const char *)&header + magic, sizeof header - magic);
    atomic_thread_fence(memory_order_release);
    memcpy(file->magic, header.magic, magic);
}

size_t record_writer_size_min(void)
{
    return file_size(SHIFT_MAX);
}

int record_writer_open(struct record_writer *self, const char *path)
{
    *self = (struct record_writer){0};
    unsigned shift = 0;
    const struct shared_file_limit limit = shared_file_limit();
    while (shift < SHIFT_MAX && file_size(shift) > limit.size) shift++;
    if (file_size(shift) > limit.size) return limit.error;
    int error = make_file(path, shift, &self->file);
    if (error) return error;
    if (!pages_populate(self->file.bytes, RECORD_HEADER_SIZE)) {
        shared_file_close(&self->file);
        shared_file_remove(path);
        return -ENOSPC;
    }
    describe(self, shift);
    return 0;
}

void record_writer_close(struct record_writer *self)
{
    shared_file_close(&self->file);
    *self = (struct record_writer){0};
}

void record_writer_detach(struct record_writer *self)
{
    shared_file_detach(&self->file);
}

// --- rows
// -------------------------------------------------------------------------------------------

// In one step, as seen by a handler: false, and nothing is changed, when it is no longer `before`.
static bool change(uint32_t *number, uint32_t before, uint32_t after)
{
    return __atomic_compare_exchange_n(number, &before, after, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

static bool is_given(struct record_writer *self, enum record_table table, size_t done, size_t step)
{
    self->error = -ENOMEM;
    if (!shared_file_extend(&self->file, 1 + table, done + step)) return false;
    self->error = -ENOSPC;
    if (!pages_populate(self->tables[table].rows + done, step)) return false;
    self->error = 0;
    return true;
}

// First one page, since most processes of a build do little and their recordings lie in memory to
// its end; then half as much again at a time, at least 4 pages and at most 1 MiB.
static bool make_usable(struct record_writer *self, enum record_table which)
{
    enum { STEP_MIN = 4 * (int)PAGE_SIZE, STEP_MAX = 1 << 20 };
    struct record_writer_table *table = &self->tables[which];
    const uint32_t before = __atomic_load_n(&table->usable, __ATOMIC_RELAXED);
    size_t whole = align_up((size_t)table->capacity * table->row_size, PAGE_SIZE);
    size_t done = align_up((size_t)before * table->row_size, PAGE_SIZE);
    self->error = -ENOSPC;
    if (before >= table->capacity) return false;
    size_t step = align_up(done / 2, PAGE_SIZE);
    if (step < STEP_MIN) step = done == 0 ? PAGE_SIZE : STEP_MIN;
    if (step > STEP_MAX) step = STEP_MAX;
    if (step > whole - done) step = whole - done;
    // One page is better than none when a file system or the address space is nearly full.
    while (step > 0 && !is_given(self, which, done, step)) {
        if (step == PAGE_SIZE) return false;
        step = align_up(step / 2, PAGE_SIZE);
    }
    size_t usable = (done + step) / table->row_size;
    // Refused: it is another writer's table by now, and has more already.
    (void)change(&table->usable, before,
                 usable < table->capacity ? (uint32_t)usable : table->capacity);
    return true;
}

static bool has_room(struct record_writer *self, enum record_table table, uint32_t rows)
{
    while (self->tables[table].usable - record_writer_count(self, table) < rows) {
        if (make_usable(self, table)) continue;
        self->refused++;
        return false;
    }
    return true;
}

// The place of so many rows that are written from now on. NULL without room.
static char *begin(struct record_writer *self, enum record_table which, uint32_t rows,
                   uint32_t *index_out)
{
    struct record_writer_table *table = &self->tables[which];
    while (has_room(self, which, rows)) {
        // First where, then that, then whether it still is there: else an interrupted one would
        // write over what a child has by now.
        char *place = __atomic_load_n(&table->rows, __ATOMIC_ACQUIRE);
        const uint32_t state = __atomic_load_n(&table->state, __ATOMIC_RELAXED);
        const uint32_t index = state / 2;
        if (!change(&table->state, state, 2 * index + 1)) continue;
        if (__atomic_load_n(&table->rows, __ATOMIC_ACQUIRE) != place) continue;
        *index_out = index;
        place += (size_t)index * table->row_size;
        // Left half-way by whoever was there before.
        if (state % 2) memset(place, 0, (size_t)rows * table->row_size);
        return place;
    }
    return NULL;
}

static bool publish(struct record_writer *self, enum record_table table, uint32_t rows)
{
    struct record_header *header =
        (struct record_header *)(void *)__atomic_load_n(&self->file.bytes, __ATOMIC_ACQUIRE);
    const uint32_t state = __atomic_load_n(&self->tables[table].state, __ATOMIC_RELAXED);
    const uint32_t count = state / 2 + rows;
    if (state % 2 == 0 || !change(&self->tables[table].state, state, 2 * count)) return false;
    // release: a reader that sees the count sees the rows
    __atomic_store_n(&header->tables[table].count, count, __ATOMIC_RELEASE);
    return true;
}

void *record_writer_add(struct record_writer *self, enum record_table table, uint32_t *index_out)
{
    return begin(self, table, 1, index_out);
}

bool record_writer_publish(struct record_writer *self, enum record_table table)
{
    return publish(self, table, 1);
}

bool record_writer_outgrow(struct record_writer *self, const struct record_writer *other)
{
    for (enum record_table i = 0; i < RECORD_TABLE_COUNT; i++) {
        const struct record_writer_table *theirs = &other->tables[i];
        const struct record_writer_table *table = &self->tables[i];
        if (table->capacity < theirs->usable) return false;
        while (table->usable <= theirs->usable && table->usable < table->capacity) {
            if (!make_usable(self, i)) return false;
        }
    }
    return true;
}

bool record_writer_copy(struct record_writer *self, const struct record_writer *other,
                        enum record_table table)
{
    const struct record_writer_table *rows = &other->tables[table];
    const uint32_t count = record_writer_count(other, table);
    uint32_t index;
    char *place = begin(self, table, count, &index);
    if (!place) return false;
    memcpy(place, rows->rows, (size_t)count * rows->row_size);
    return publish(self, table, count);
}

void record_writer_cut(struct record_writer *self, enum record_table table, uint32_t count)
{
    struct record_header *header = (struct record_header *)(void *)self->file.bytes;
    struct record_writer_table *rows = &self->tables[table];
    char *place = rows->rows + (size_t)count * rows->row_size;
    const uint32_t state = __atomic_load_n(&rows->state, __ATOMIC_RELAXED);
    if (state / 2 <= count || !change(&rows->state, state, 2 * count)) return;
    __atomic_store_n(&header->tables[table].count, count, __ATOMIC_RELEASE);
    memset(place, 0, (size_t)(state / 2 - count) * rows->row_size);
}

struct record_text record_writer_text(struct record_writer *self, const char *bytes, size_t size)
{
    struct record_text text = {.offset = record_writer_count(self, RECORD_TABLE_bytes)};
    if (size > self->tables[RECORD_TABLE_bytes].capacity) return text;
    char *place = begin(self, RECORD_TABLE_bytes, (uint32_t)size, &text.offset);
    if (!place) return text;
    memcpy(place, bytes, size);
    if (publish(self, RECORD_TABLE_bytes, (uint32_t)size)) text.size = (uint32_t)size;
    return text;
}
