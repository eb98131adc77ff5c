#include "cli/recording_facts.h"

#include "record/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

// A recording whose process row is described in its own way: other columns, another order.
struct file {
    struct record_header header;
    char rest[RECORD_HEADER_SIZE - sizeof(struct record_header)];
    struct {
        uint32_t pid;
        uint32_t state;
        uint64_t peak_bytes;
        struct record_text program;
    } row;
    char bytes[32];
};

static struct file file_make(const char *program)
{
    struct file file = {
        .header =
            {
                .magic = RECORD_MAGIC,
                .version = RECORD_VERSION,
                .header_size = RECORD_HEADER_SIZE,
                .table_count = 2,
                .column_count = 5,
                .tables = {{"bytes", 1, 0, 1, 0, offsetof(struct file, bytes), 32, 32},
                           {"process", sizeof file.row, 1, 4, 0, offsetof(struct file, row), 1, 1}},
                .columns = {{"byte", RECORD_U8, 0, 1},
                            {"pid", RECORD_U32, 0, 1},
                            {"peak_bytes", RECORD_U64, 8, 1},
                            {"program", RECORD_TEXT, 16, 1},
                            {"state", RECORD_U32, 4, 1}},
            },
        .row = {7, RECORD_EXECED, 123456789012, {3, (uint32_t)strlen(program)}},
    };
    strcpy(file.bytes + 3, program);
    return file;
}

static struct recording_facts facts_of(const struct file *file, size_t size)
{
    const int fd = memfd_create("recording", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, file, size), size);
    const struct recording_facts facts = recording_facts_read(fd);
    close(fd);
    return facts;
}

static void columns_are_found_by_their_names(void **state)
{
    (void)state;
    const struct file file = file_make("/usr/bin/prog");
    const struct recording_facts facts = facts_of(&file, sizeof file);
    assert_true(facts.is_recording);
    assert_true(facts.has_process);
    assert_string_equal(facts.program, "prog");
    assert_int_equal(facts.state, RECORD_EXECED);
    assert_int_equal(facts.peak_bytes, 123456789012);
}

static void a_programs_name_can_be_part_of_a_files(void **state)
{
    (void)state;
    const struct file plain = file_make("prog\n\x1b\x7f");
    assert_string_equal(facts_of(&plain, sizeof plain).program, "prog___");
    const struct file folder = file_make("/usr/bin/");
    assert_string_equal(facts_of(&folder, sizeof folder).program, "");
}

static void a_recording_cut_off_is_still_one(void **state)
{
    (void)state;
    const struct file file = file_make("/usr/bin/prog");
    for (size_t size = 0; size < sizeof file; size++) {
        const struct recording_facts facts = facts_of(&file, size);
        assert_int_equal(facts.is_recording, size >= 8);
        if (size < offsetof(struct file, bytes)) assert_false(facts.has_process);
    }
}

static void another_version_says_nothing_of_what_follows(void **state)
{
    (void)state;
    struct file file = file_make("/usr/bin/prog");
    file.header.version++;
    const struct recording_facts facts = facts_of(&file, sizeof file);
    assert_true(facts.is_recording);
    assert_false(facts.has_process);
    assert_string_equal(facts.program, "");
}

static void what_lies_outside_is_not_read(void **state)
{
    (void)state;
    struct file file = file_make("/usr/bin/prog");
    file.row.program.offset = UINT32_MAX;
    assert_string_equal(facts_of(&file, sizeof file).program, "");
    file = file_make("/usr/bin/prog");
    file.row.program.size = UINT32_MAX;
    assert_string_equal(facts_of(&file, sizeof file).program, "");
    file = file_make("/usr/bin/prog");
    file.header.tables[0].offset = UINT64_MAX;
    assert_string_equal(facts_of(&file, sizeof file).program, "");
    file = file_make("/usr/bin/prog");
    file.header.tables[1].offset = UINT64_MAX - 4;
    assert_false(facts_of(&file, sizeof file).has_process);
    file = file_make("/usr/bin/prog");
    file.header.tables[1].first_column = UINT32_MAX;
    file.header.tables[1].column_count = UINT32_MAX;
    file.header.column_count = UINT32_MAX;
    file.header.table_count = UINT32_MAX;
    assert_false(facts_of(&file, sizeof file).has_process);
    file = file_make("/usr/bin/prog");
    file.header.columns[4].offset = UINT16_MAX;
    assert_false(facts_of(&file, sizeof file).has_process);
    file.header.columns[4].offset = sizeof file.row - 3;
    assert_false(facts_of(&file, sizeof file).has_process);
    file = file_make("/usr/bin/prog");
    file.header.tables[1].count = 0;
    assert_false(facts_of(&file, sizeof file).has_process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_found_by_their_names),
        cmocka_unit_test(a_programs_name_can_be_part_of_a_files),
        cmocka_unit_test(a_recording_cut_off_is_still_one),
        cmocka_unit_test(another_version_says_nothing_of_what_follows),
        cmocka_unit_test(what_lies_outside_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
