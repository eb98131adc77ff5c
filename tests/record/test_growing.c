// Protects: a recording that is read while its program goes on is whole: whatever a row that counts
// points to is there, though all tables grow meanwhile.
#include "record/reader.h"

#include "os/pages.h"
#include "record/description.h"
#include "sample.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    ROWS_MAX = 20000,
    TURNS_PER_ROW = 2000,
    LINES = 400000, // a table that takes long to read, between the others
};

struct growing {
    uint8_t *file;
    struct record_header *header;
};

static void *row_next(const struct growing *self, enum record_table table)
{
    const struct record_table_entry *entry = &self->header->tables[table];
    return self->file + entry->offset + entry->count * entry->row_size;
}

static void publish(const struct growing *self, enum record_table table)
{
    uint64_t *count = &self->header->tables[table].count;
    // release: pairs with the reader's copy of the count, which comes before that of the rows
    __atomic_store_n(count, *count + 1, __ATOMIC_RELEASE);
}

// What a program does at a new site, in the order in which it does it; a chain of nodes.
static void *grow(void *context)
{
    struct growing *self = context;
    for (uint32_t i = 0; i < ROWS_MAX; i++) {
        // Slow enough for several readings, and for rows to come in the middle of each.
        for (int turn = 0; turn < TURNS_PER_ROW; turn++) __asm__ volatile("" ::: "memory");
        *(struct record_frame *)row_next(self, RECORD_TABLE_frames) =
            (struct record_frame){.offset = i, .module = RECORD_NONE};
        publish(self, RECORD_TABLE_frames);
        *(struct record_node *)row_next(self, RECORD_TABLE_nodes) =
            (struct record_node){.parent = i > 0 ? i - 1 : RECORD_NONE, .frame = i};
        publish(self, RECORD_TABLE_nodes);
        *(struct record_site *)row_next(self, RECORD_TABLE_sites) =
            (struct record_site){.node = i, .depth = i + 1};
        publish(self, RECORD_TABLE_sites);
        *(struct record_row *)row_next(self, RECORD_TABLE_rows) =
            (struct record_row){.site = i, .thread = RECORD_NONE, .allocations = 1};
        publish(self, RECORD_TABLE_rows);
    }
    return NULL;
}

static size_t lay_out(struct record_header *header)
{
    record_describe(header);
    size_t end = RECORD_HEADER_SIZE;
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        header->tables[i].offset = end;
        header->tables[i].capacity = i == RECORD_TABLE_lines ? LINES : ROWS_MAX;
        end += header->tables[i].capacity * header->tables[i].row_size;
        end = (end + 7) / 8 * 8;
    }
    header->tables[RECORD_TABLE_lines].count = LINES;
    return end;
}

static void what_counts_is_whole_while_it_grows(void **state)
{
    (void)state;
    static struct record_header header;
    const size_t size = lay_out(&header);
    const int fd = sample_descriptor((const uint8_t *)&header, sizeof header);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    struct growing growing = {0};
    growing.file = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(growing.file != MAP_FAILED);
    growing.header = (struct record_header *)growing.file;

    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, grow, &growing), 0);
    size_t last = 0;
    while (last < ROWS_MAX) {
        struct reader_problem problem;
        struct recording *recording = recording_read(fd, &problem);
        assert_non_null(recording);
        assert_int_equal(recording->unbelieved, 0);
        assert_int_equal(recording->missing, 0);
        assert_true(recording->file_space < recording->file_size); // most is a hole
        assert_true(recording->rows_count >= last);
        last = recording->rows_count;
        for (size_t j = 0; j < last; j++) {
            assert_int_equal(recording->rows[j].site, j);
            assert_int_equal(recording->rows[j].allocations, 1);
        }
        recording_close(recording);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    munmap(growing.file, size);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_counts_is_whole_while_it_grows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
