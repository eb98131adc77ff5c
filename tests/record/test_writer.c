// Protects: a file that the writer makes describes itself truly, rows count only once they are
// published, and neither limit nor full file system lets it touch a page that is not there.
#include "record/writer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/mete-writer-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    (void)snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int remove_file(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static const struct record_header *header_of(const struct record_writer *writer)
{
    return (const struct record_header *)(const void *)writer->file.bytes;
}

static const struct record_column_entry *find_column(const struct record_header *header,
                                                     enum record_table table, const char *name)
{
    const struct record_table_entry *entry = &header->tables[table];
    for (uint32_t i = 0; i < entry->column_count; i++) {
        const struct record_column_entry *column = &header->columns[entry->first_column + i];
        if (strncmp(column->name, name, sizeof column->name) == 0) return column;
    }
    return NULL;
}

static void tables_lie_in_the_file_and_apart(void **state)
{
    (void)state;
    struct record_writer writer;
    assert_int_equal(record_writer_open(&writer, path), 0);
    const struct record_header *header = header_of(&writer);
    assert_memory_equal(header->magic, RECORD_MAGIC, 8);
    assert_int_equal(header->version, RECORD_VERSION);
    assert_int_equal(header->table_count, RECORD_TABLE_COUNT);
    uint64_t end = RECORD_HEADER_SIZE;
    for (uint32_t i = 0; i < header->table_count; i++) {
        const struct record_table_entry *table = &header->tables[i];
        assert_true(table->offset >= end);
        assert_int_equal(table->offset % 8, 0);
        assert_int_equal(table->count, 0);
        end = table->offset + table->capacity * table->row_size;
    }
    assert_true(end <= writer.file.size);
    record_writer_close(&writer);
}

#define EXPECT_COLUMN(table, row, type_, name_)                                                    \
    do {                                                                                           \
        const struct record_column_entry *column =                                                 \
            find_column(header, RECORD_TABLE_##table, #name_);                                     \
        assert_non_null(column);                                                                   \
        assert_int_equal(column->offset, offsetof(struct row, name_));                             \
        assert_int_equal(column->type, type_);                                                     \
    } while (0)

static void columns_are_where_the_compiler_puts_them(void **state)
{
    (void)state;
    struct record_writer writer;
    assert_int_equal(record_writer_open(&writer, path), 0);
    const struct record_header *header = header_of(&writer);
    assert_int_equal(header->tables[RECORD_TABLE_rows].row_size, sizeof(struct record_row));
    EXPECT_COLUMN(rows, record_row, RECORD_U32, site);
    EXPECT_COLUMN(rows, record_row, RECORD_I64, step_max);
    EXPECT_COLUMN(rows, record_row, RECORD_U64, sizes);
    EXPECT_COLUMN(rows, record_row, RECORD_F32, live_over_time);
    EXPECT_COLUMN(process, record_process, RECORD_TEXT, command);
    EXPECT_COLUMN(process, record_process, RECORD_U32, timeline_interval_ms);
    EXPECT_COLUMN(modules, record_module, RECORD_U8, build_id);
    EXPECT_COLUMN(threads, record_thread, RECORD_U64, frees_unseen);
    EXPECT_COLUMN(lines, record_line, RECORD_U32, is_inlined);
    assert_int_equal(find_column(header, RECORD_TABLE_rows, "sizes")->count, RECORD_SIZE_BUCKETS);
    record_writer_close(&writer);
}

static void a_row_counts_when_it_is_published(void **state)
{
    (void)state;
    struct record_writer writer;
    assert_int_equal(record_writer_open(&writer, path), 0);
    uint32_t index;
    for (uint32_t i = 0; i < 5000; i++) {
        struct record_node *node = record_writer_add(&writer, RECORD_TABLE_nodes, &index);
        assert_non_null(node);
        assert_int_equal(index, i);
        assert_int_equal(node->parent, 0);
        node->parent = i;
        assert_int_equal(header_of(&writer)->tables[RECORD_TABLE_nodes].count, i);
        record_writer_publish(&writer, RECORD_TABLE_nodes);
        assert_int_equal(header_of(&writer)->tables[RECORD_TABLE_nodes].count, i + 1);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        const struct record_node *node = record_writer_row(&writer, RECORD_TABLE_nodes, i);
        assert_int_equal(node->parent, i);
    }
    record_writer_close(&writer);
}

// As in the child of a handler that interrupted who was adding: the same writer, another file.
static void replace(struct record_writer *writer, struct record_writer *before)
{
    *before = *writer;
    (void)unlink(path);
    assert_int_equal(record_writer_open(writer, path), 0);
    assert_true(record_writer_copy(writer, before, RECORD_TABLE_nodes));
    assert_true(record_writer_outgrow(writer, before));
}

static uint32_t add_node(struct record_writer *writer, uint32_t frame)
{
    uint32_t index;
    struct record_node *node = record_writer_add(writer, RECORD_TABLE_nodes, &index);
    assert_non_null(node);
    node->frame = frame;
    return index;
}

static void a_row_that_was_begun_in_another_file_is_refused(void **state)
{
    (void)state;
    struct record_writer writer;
    struct record_writer before;
    assert_int_equal(record_writer_open(&writer, path), 0);
    assert_int_equal(add_node(&writer, 10), 0);
    assert_true(record_writer_publish(&writer, RECORD_TABLE_nodes));
    assert_int_equal(add_node(&writer, 11), 1);
    replace(&writer, &before);
    assert_false(record_writer_publish(&writer, RECORD_TABLE_nodes));
    assert_int_equal(record_writer_count(&writer, RECORD_TABLE_nodes), 1);
    assert_int_equal(add_node(&writer, 12), 1);
    assert_true(record_writer_publish(&writer, RECORD_TABLE_nodes));
    assert_false(record_writer_publish(&writer, RECORD_TABLE_nodes));
    assert_int_equal(header_of(&writer)->tables[RECORD_TABLE_nodes].count, 2);
    const struct record_node *node = record_writer_row(&writer, RECORD_TABLE_nodes, 1);
    assert_int_equal(node->frame, 12);
    record_writer_close(&before);
    record_writer_close(&writer);
}

static void what_was_left_half_way_is_zero_again(void **state)
{
    (void)state;
    struct record_writer writer;
    assert_int_equal(record_writer_open(&writer, path), 0);
    assert_int_equal(add_node(&writer, 10), 0);
    uint32_t index;
    const struct record_node *node = record_writer_add(&writer, RECORD_TABLE_nodes, &index);
    assert_non_null(node);
    assert_int_equal(index, 0);
    assert_int_equal(node->frame, 0);
    record_writer_close(&writer);
}

// Whoever knew an index in the other file may still look there, and finds an empty row.
static void another_file_has_room_for_more_rows(void **state)
{
    (void)state;
    struct record_writer writer;
    struct record_writer before;
    assert_int_equal(record_writer_open(&writer, path), 0);
    for (uint32_t i = 0; i < 5000; i++) {
        assert_int_equal(add_node(&writer, i), i);
        assert_true(record_writer_publish(&writer, RECORD_TABLE_nodes));
    }
    uint32_t index;
    for (uint32_t i = 0; i < 5000; i++) {
        assert_non_null(record_writer_add(&writer, RECORD_TABLE_rows, &index));
        assert_true(record_writer_publish(&writer, RECORD_TABLE_rows));
    }
    replace(&writer, &before);
    for (uint32_t i = 0; i < 5000; i++) {
        const struct record_node *node = record_writer_row(&writer, RECORD_TABLE_nodes, i);
        const struct record_row *row = record_writer_row(&writer, RECORD_TABLE_rows, i);
        assert_int_equal(node->frame, i);
        assert_int_equal(row->allocations, 0);
    }
    assert_int_equal(record_writer_count(&writer, RECORD_TABLE_rows), 0);
    record_writer_close(&before);
    record_writer_close(&writer);
}

static void rows_taken_back_come_again_as_zero(void **state)
{
    (void)state;
    struct record_writer writer;
    assert_int_equal(record_writer_open(&writer, path), 0);
    uint32_t index;
    for (uint32_t i = 0; i < 4; i++) {
        struct record_point *point = record_writer_add(&writer, RECORD_TABLE_timeline, &index);
        point->live_bytes = i + 1;
        record_writer_publish(&writer, RECORD_TABLE_timeline);
    }
    record_writer_cut(&writer, RECORD_TABLE_timeline, 2);
    assert_int_equal(header_of(&writer)->tables[RECORD_TABLE_timeline].count, 2);
    struct record_point *point = record_writer_add(&writer, RECORD_TABLE_timeline, &index);
    assert_int_equal(index, 2);
    assert_int_equal(point->live_bytes, 0);
    record_writer_close(&writer);
}

static void texts_follow_one_another(void **state)
{
    (void)state;
    struct record_writer writer;
    assert_int_equal(record_writer_open(&writer, path), 0);
    struct record_text one = record_writer_text(&writer, "one", 3);
    struct record_text none = record_writer_text(&writer, "", 0);
    struct record_text two = record_writer_text(&writer, "two", 3);
    assert_int_equal(one.size, 3);
    assert_int_equal(none.size, 0);
    assert_int_equal(two.offset, one.offset + 3);
    assert_memory_equal(record_writer_row(&writer, RECORD_TABLE_bytes, one.offset), "onetwo", 6);
    assert_int_equal(header_of(&writer)->tables[RECORD_TABLE_bytes].count, 6);
    record_writer_close(&writer);
}

static void a_table_that_is_full_refuses(void **state)
{
    (void)state;
    struct record_writer writer;
    assert_int_equal(record_writer_open(&writer, path), 0);
    uint32_t index;
    uint32_t capacity = writer.tables[RECORD_TABLE_lost].capacity;
    for (uint32_t i = 0; i < capacity; i++) {
        assert_non_null(record_writer_add(&writer, RECORD_TABLE_lost, &index));
        record_writer_publish(&writer, RECORD_TABLE_lost);
    }
    assert_null(record_writer_add(&writer, RECORD_TABLE_lost, &index));
    assert_int_equal(writer.refused, 1);
    record_writer_close(&writer);
}

static int fill_tables(void)
{
    struct record_writer writer;
    if (record_writer_open(&writer, path)) return 1;
    uint32_t index;
    uint32_t rows = 0;
    while (record_writer_add(&writer, RECORD_TABLE_rows, &index)) {
        struct record_row *row = record_writer_row(&writer, RECORD_TABLE_rows, index);
        memset(row, 0xff, sizeof *row); // SIGBUS here is what must not be
        record_writer_publish(&writer, RECORD_TABLE_rows);
        rows++;
    }
    return rows > 100 && rows < writer.tables[RECORD_TABLE_rows].capacity ? 0 : 2;
}

static void a_full_file_system_stops_growth_and_nothing_else(void **state)
{
    (void)state;
    if (mount("none", folder, "tmpfs", 0, "size=512k") != 0) skip(); // only root may
    pid_t pid = fork();
    if (pid == 0) _exit(fill_tables());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(umount2(folder, MNT_DETACH), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int open_limited(void)
{
    struct rlimit limits = {3 << 20, 3 << 20};
    if (setrlimit(RLIMIT_FSIZE, &limits)) return 99;
    struct record_writer writer;
    if (record_writer_open(&writer, path)) return 1;
    if (writer.file.size > 3 << 20) return 2;
    limits = (struct rlimit){1 << 16, 1 << 16};
    if (setrlimit(RLIMIT_FSIZE, &limits)) return 99;
    if (unlink(path)) return 3;
    return record_writer_open(&writer, path) == -EFBIG ? 0 : 4;
}

static int open_confined(void)
{
    const struct rlimit limits = {8 << 20, 8 << 20};
    if (setrlimit(RLIMIT_AS, &limits)) return 99;
    struct record_writer writer;
    if (record_writer_open(&writer, path) != -ENOMEM) return 1;
    return access(path, F_OK) == 0 ? 2 : 0;
}

static int status_in_child(int (*work)(void))
{
    pid_t pid = fork();
    if (pid == 0) _exit(work());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void limits_make_it_smaller_or_not_at_all(void **state)
{
    (void)state;
    assert_int_equal(status_in_child(open_limited), 0);
    assert_int_equal(status_in_child(open_confined), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(tables_lie_in_the_file_and_apart, remove_file),
        cmocka_unit_test_teardown(columns_are_where_the_compiler_puts_them, remove_file),
        cmocka_unit_test_teardown(a_row_counts_when_it_is_published, remove_file),
        cmocka_unit_test_teardown(a_row_that_was_begun_in_another_file_is_refused, remove_file),
        cmocka_unit_test_teardown(what_was_left_half_way_is_zero_again, remove_file),
        cmocka_unit_test_teardown(another_file_has_room_for_more_rows, remove_file),
        cmocka_unit_test_teardown(rows_taken_back_come_again_as_zero, remove_file),
        cmocka_unit_test_teardown(texts_follow_one_another, remove_file),
        cmocka_unit_test_teardown(a_table_that_is_full_refuses, remove_file),
        cmocka_unit_test_teardown(a_full_file_system_stops_growth_and_nothing_else, remove_file),
        cmocka_unit_test_teardown(limits_make_it_smaller_or_not_at_all, remove_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
