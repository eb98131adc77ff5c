// Protects: a reader gets from a whole recording what was put in, from a damaged one what is left,
// and from anything else a reason; nothing in a file makes it read or point outside.
#include "record/reader.h"

#include "record/description.h"
#include "sample.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

// A recording with a row or two in every table.
struct fixture {
    struct sample sample;
    uint8_t *file;
    size_t size;
};

static struct record_header *header_of(const struct fixture *self)
{
    return (struct record_header *)self->file;
}

static struct record_table_entry *entry_of(const struct fixture *self, enum record_table table)
{
    return &header_of(self)->tables[table];
}

static struct record_column_entry *column_of(const struct fixture *self, enum record_table table,
                                             const char *name)
{
    const struct record_table_entry *entry = entry_of(self, table);
    for (size_t i = 0; i < entry->column_count; i++) {
        struct record_column_entry *column = &header_of(self)->columns[entry->first_column + i];
        if (record_name_is(column->name, sizeof column->name, name)) return column;
    }
    fail_msg("no column '%s'", name);
    return NULL;
}

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    struct sample *sample = &self->sample;
    sample_init(sample);
    const uint32_t program = sample_module(sample, "/usr/bin/program");
    const uint32_t thread = sample_thread(sample, 17, "main");
    const uint32_t inner = sample_frame(sample, program, 0x1234, "make_row", "rows.c", 7);
    const uint32_t outer = sample_frame(sample, program, 0x2345, "main", "main.c", 9);
    const uint32_t site = SAMPLE_SITE(sample, inner, outer);
    (void)sample_row(sample, site, thread, 10, 100, 4);
    struct record_point *point = sample_add(sample, RECORD_TABLE_timeline);
    *point = (struct record_point){.live_bytes = 500, .allocations = 6};
    struct record_lost *lost = sample_add(sample, RECORD_TABLE_lost);
    *lost = (struct record_lost){.reason = sample_text(sample, "busy"), .events = 3};
    struct record_mapping *mapping = sample_add(sample, RECORD_TABLE_mappings);
    *mapping = (struct record_mapping){.call = sample_text(sample, "mmap"), .calls = 2};
    sample_process(sample)->program = sample_text(sample, "/usr/bin/program");
    sample_process(sample)->name = sample_text(sample, "called");
    sample_process(sample)->pid = 4242;
    sample_total(sample);
    self->file = sample_file(sample, &self->size);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    sample_deinit(&self->sample);
    free(self->file);
    free(self);
    return 0;
}

static struct recording *read_bytes(const uint8_t *bytes, size_t size,
                                    struct reader_problem *problem_out)
{
    const int fd = sample_descriptor(bytes, size);
    struct recording *recording = recording_read(fd, problem_out);
    close(fd);
    return recording;
}

static struct recording *read_fine(const struct fixture *self)
{
    struct reader_problem problem;
    struct recording *recording = read_bytes(self->file, self->size, &problem);
    if (!recording) {
        char text[READER_PROBLEM_SIZE];
        reader_problem_text(&problem, text);
        fail_msg("refused: %s", text);
    }
    return recording;
}

static void check_refused(const uint8_t *bytes, size_t size, const char *why)
{
    struct reader_problem problem;
    char text[READER_PROBLEM_SIZE];
    struct recording *recording = read_bytes(bytes, size, &problem);
    assert_null(recording);
    reader_problem_text(&problem, text);
    assert_string_equal(text, why);
}

static void check_text(const struct recording *recording, struct record_text text,
                       const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(recording_text(recording, text), expected, text.size);
}

static void what_was_put_in_comes_out(void **state)
{
    struct fixture *self = *state;
    struct recording *recording = read_fine(self);
#define CHECK_TABLE(table, row, columns)                                                           \
    assert_int_equal(recording->table##_count, self->sample.tables[RECORD_TABLE_##table].count);   \
    assert_memory_equal(recording->table, self->sample.tables[RECORD_TABLE_##table].rows,          \
                        recording->table##_count * sizeof(struct row));
    RECORD_TABLES(CHECK_TABLE)
    check_text(recording, recording->process->program, "/usr/bin/program");
    check_text(recording, recording->process->name, "called");
    check_text(recording, recording->lines[0].function, "make_row");
    assert_int_equal(recording->file_size, self->size);
    assert_int_equal(recording->file_space, self->size);
    assert_int_equal(recording->missing, 0);
    assert_int_equal(recording->unbelieved, 0);
    recording_close(recording);
}

static void unknown_tables_and_columns_are_skipped(void **state)
{
    struct fixture *self = *state;
    strcpy(entry_of(self, RECORD_TABLE_mappings)->name, "humours");
    entry_of(self, RECORD_TABLE_mappings)->row_size = 0; // no business of ours
    strcpy(column_of(self, RECORD_TABLE_rows, "frees")->name, "sighs");
    column_of(self, RECORD_TABLE_rows, "temporary")->type = 99;
    struct recording *recording = read_fine(self);
    assert_int_equal(recording->mappings_count, 0);
    assert_int_equal(recording->rows_count, 1);
    assert_int_equal(recording->rows[0].frees, 0);
    assert_int_equal(recording->rows[0].bytes_freed, 400);
    recording_close(recording);
}

static void a_recording_without_any_table_is_empty_of_all(void **state)
{
    struct fixture *self = *state;
    header_of(self)->table_count = 0;
    struct recording *recording = read_fine(self);
    assert_int_equal(recording->process_count, 1);
    assert_int_equal(recording->process->pid, 0);
    assert_int_equal(recording->rows_count + recording->bytes_count, 0);
    recording_close(recording);
}

static void a_table_whose_name_only_begins_alike_is_another(void **state)
{
    struct fixture *self = *state;
    memcpy(entry_of(self, RECORD_TABLE_rows)->name, "rows and columns", 16);
    struct recording *recording = read_fine(self);
    assert_int_equal(recording->rows_count, 0);
    recording_close(recording);
}

// The columns of another mete: other widths, other places.
static void columns_are_converted_by_name_and_type(void **state)
{
    struct fixture *self = *state;
    struct record_row *row =
        (struct record_row *)(self->file + entry_of(self, RECORD_TABLE_rows)->offset);
    struct record_column_entry *frees = column_of(self, RECORD_TABLE_rows, "frees");
    frees->type = RECORD_I64;
    row->frees = (uint64_t)-5; // no count
    struct record_column_entry *temporary = column_of(self, RECORD_TABLE_rows, "temporary");
    temporary->type = RECORD_F32;
    const float real = 7.9f;
    memcpy(&row->temporary, &real, sizeof real);
    struct record_column_entry *step = column_of(self, RECORD_TABLE_rows, "step_min");
    step->type = RECORD_U32;
    row->step_min = -1; // 4294967295 by its lower half
    struct record_column_entry *site = column_of(self, RECORD_TABLE_rows, "site");
    site->offset = column_of(self, RECORD_TABLE_rows, "reallocations")->offset;
    site->type = RECORD_U64;
    row->site = 77; // read no more
    struct record_column_entry *sizes = column_of(self, RECORD_TABLE_rows, "sizes");
    sizes->count = 2;
    row->sizes[1] = 4;
    row->sizes[2] = 8; // read no more
    struct recording *recording = read_fine(self);
    const struct record_row *read = &recording->rows[0];
    assert_int_equal(read->frees, 0);
    assert_int_equal(read->temporary, 7);
    assert_true(read->step_min == UINT32_MAX);
    assert_int_equal(read->site, 0);
    assert_int_equal(read->sizes[1], 4);
    assert_int_equal(read->sizes[2], 0);
    assert_int_equal(read->allocations, 10);
    recording_close(recording);
}

// As recordings of before there was that column have it.
static void without_a_name_the_programs_path_has_it(void **state)
{
    struct fixture *self = *state;
    column_of(self, RECORD_TABLE_process, "name")->name[0] = 'X';
    struct recording *recording = read_fine(self);
    check_text(recording, recording->process->name, "program");
    recording_close(recording);
}

static void text_and_numbers_are_not_taken_for_each_other(void **state)
{
    struct fixture *self = *state;
    column_of(self, RECORD_TABLE_process, "program")->type = RECORD_U64;
    column_of(self, RECORD_TABLE_rows, "allocations")->type = RECORD_TEXT;
    struct recording *recording = read_fine(self);
    assert_int_equal(recording->process->program.size, 0);
    assert_int_equal(recording->rows[0].allocations, 0);
    recording_close(recording);
}

static void what_is_no_recording_is_told_apart(void **state)
{
    struct fixture *self = *state;
    check_refused(self->file, 0, "empty");
    check_refused((const uint8_t *)"\177ELF and so on", 14, "not a mete recording");
    check_refused((const uint8_t *)"x", 1, "not a mete recording");
    check_refused((const uint8_t *)"metering", 8,
                  "a mete recording that was changed on its way here (copied as text?)");
    check_refused(self->file, 5, "cut off: 5 bytes of at least 16384");
    check_refused(self->file, 16383, "cut off: 16383 bytes of at least 16384");
    header_of(self)->version = 3;
    const char *newer = "made by a newer mete (version 3; this one reads 1)";
    check_refused(self->file, self->size, newer);
    check_refused(self->file, 12, newer);
    header_of(self)->version = 0;
    check_refused(self->file, self->size, "damaged: it contradicts itself about version 0");
}

static void a_description_that_contradicts_itself_is_refused(void **state)
{
    struct fixture *self = *state;
    struct record_header whole = *header_of(self);
    struct record_header *header = header_of(self);

    header->header_size = 64;
    check_refused(self->file, self->size,
                  "damaged: it contradicts itself about the size of its header");
    *header = whole;
    header->table_count = RECORD_TABLES_MAX + 1;
    check_refused(self->file, self->size,
                  "damaged: it contradicts itself about the number of its tables or columns");
    *header = whole;
    header->column_count = UINT32_MAX;
    check_refused(self->file, self->size,
                  "damaged: it contradicts itself about the number of its tables or columns");
    *header = whole;
    entry_of(self, RECORD_TABLE_rows)->row_size = 0;
    check_refused(self->file, self->size,
                  "damaged: it contradicts itself about the size of a table's rows");
    entry_of(self, RECORD_TABLE_rows)->row_size = READER_ROW_SIZE_MAX + 1;
    check_refused(self->file, self->size,
                  "damaged: it contradicts itself about the size of a table's rows");
    *header = whole;
    entry_of(self, RECORD_TABLE_rows)->first_column = UINT32_MAX;
    check_refused(self->file, self->size,
                  "damaged: it contradicts itself about a table without its columns");
    *header = whole;
    column_of(self, RECORD_TABLE_rows, "frees")->offset = UINT16_MAX;
    check_refused(self->file, self->size,
                  "damaged: it contradicts itself about a column outside its rows");
}

static void folders_pipes_and_what_is_not_there_are_told_apart(void **state)
{
    (void)state;
    struct reader_problem problem;
    char text[READER_PROBLEM_SIZE];
    assert_null(recording_open("/", &problem));
    reader_problem_text(&problem, text);
    assert_string_equal(text, "is a directory");
    assert_null(recording_open("/dev/null", &problem));
    reader_problem_text(&problem, text);
    assert_string_equal(text, "is no regular file");
    assert_null(recording_open("/nowhere/x.mete", &problem));
    reader_problem_text(&problem, text);
    assert_string_equal(text, "No such file or directory");
}

static void a_file_cut_off_anywhere_is_read_as_far_as_it_goes(void **state)
{
    struct fixture *self = *state;
    for (size_t size = RECORD_HEADER_SIZE; size <= self->size; size++) {
        struct reader_problem problem;
        struct recording *recording = read_bytes(self->file, size, &problem);
        assert_non_null(recording);
        assert_true(recording->missing <= self->size - size);
        // The bytes come before `names`, and the padding of the last table counts for nothing.
        if (size + 8 < self->size) assert_true(recording->missing > 0);
        recording_close(recording);
    }
}

static void counts_beyond_the_file_are_cut(void **state)
{
    struct fixture *self = *state;
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        entry_of(self, (enum record_table)i)->count = UINT64_MAX;
        entry_of(self, (enum record_table)i)->capacity = UINT64_MAX;
    }
    struct recording *recording = read_fine(self);
    const struct record_table_entry *rows = entry_of(self, RECORD_TABLE_rows);
    assert_true(recording->rows_count <= (self->size - rows->offset) / rows->row_size);
    assert_true(recording->missing > 0);
    assert_int_equal(recording->process_count, 1);
    recording_close(recording);

    // Past the end of the file and of all numbers.
    entry_of(self, RECORD_TABLE_rows)->offset = UINT64_MAX - 7;
    recording = read_fine(self);
    assert_int_equal(recording->rows_count, 0);
    recording_close(recording);
}

static void rows_past_the_capacity_do_not_count(void **state)
{
    struct fixture *self = *state;
    entry_of(self, RECORD_TABLE_frames)->capacity = 1;
    struct recording *recording = read_fine(self);
    assert_int_equal(recording->frames_count, 1);
    recording_close(recording);
}

static void what_would_not_fit_into_memory_is_refused(void **state)
{
    struct fixture *self = *state;
    // A file with a hole of 64 GiB costs nothing, and its rows of one byte would become ours.
    struct record_table_entry *rows = entry_of(self, RECORD_TABLE_rows);
    rows->row_size = 1;
    rows->column_count = 0;
    rows->count = rows->capacity = (uint64_t)64 << 30;
    const int fd = sample_descriptor(self->file, self->size);
    if (ftruncate(fd, (off_t)65 << 30) == 0) {
        struct reader_problem problem;
        assert_null(recording_read(fd, &problem));
        assert_int_equal(problem.fault, READER_TOO_LARGE);
    }
    close(fd);
}

static struct record_thread *thread_of(const struct fixture *self)
{
    return (struct record_thread *)(self->file + entry_of(self, RECORD_TABLE_threads)->offset);
}

static void a_peak_that_is_not_over_is_what_is_live(void **state)
{
    struct fixture *self = *state;
    struct record_thread *thread = thread_of(self);
    thread->allocations += 3;
    thread->bytes_allocated += 1000;
    thread->last_ms = 77;
    const struct record_process *before =
        (struct record_process *)(self->file + entry_of(self, RECORD_TABLE_process)->offset);
    struct recording *recording = read_fine(self);
    const struct record_process *process = recording->process;
    assert_int_equal(process->live_bytes, thread->bytes_allocated - thread->bytes_freed);
    assert_int_equal(process->live_blocks, thread->allocations - thread->frees);
    assert_int_equal(process->peak_bytes, process->live_bytes);
    assert_int_equal(process->peak_blocks, process->live_blocks);
    assert_int_equal(process->peak_ms, 77);
    assert_int_equal(process->peak_count, before->peak_count + 1); // no row has noted it
    recording_close(recording);
}

static void a_peak_that_is_over_stays(void **state)
{
    struct fixture *self = *state;
    thread_of(self)->frees = thread_of(self)->allocations;
    thread_of(self)->bytes_freed = thread_of(self)->bytes_allocated;
    struct recording *recording = read_fine(self);
    assert_int_equal(recording->process->live_bytes, 0);
    assert_int_equal(recording->process->peak_bytes, sample_process(&self->sample)->peak_bytes);
    assert_int_equal(recording->process->peak_count, sample_process(&self->sample)->peak_count);
    recording_close(recording);
}

static void what_points_nowhere_points_to_nothing(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    struct record_module module = {.path = {5, UINT32_MAX}, .build_id_size = 99};
    *(struct record_module *)sample_add(sample, RECORD_TABLE_modules) = module;
    const uint32_t frame = sample_frame(sample, 99, 0x10, NULL, NULL, 0);
    const uint32_t orphan = sample_node(sample, 99, frame);
    const uint32_t self_made = sample_node(sample, orphan + 1, frame);
    const uint32_t frameless = sample_node(sample, orphan, 77);
    struct record_site *site = sample_add(sample, RECORD_TABLE_sites);
    *site = (struct record_site){.node = 99, .thread_count = 3, .first_thread = 1};
    for (int i = 0; i < 3; i++) {
        struct record_site_thread *listed = sample_add(sample, RECORD_TABLE_site_threads);
        listed->thread = i == 0 ? 97 : RECORD_NONE;
    }
    (void)sample_row(sample, 98, RECORD_NONE, 1, 1, 0);
    const uint32_t threadless = sample_row(sample, 1, 97, 1, 1, 0);
    struct record_row *row = sample_row_at(sample, threadless);
    row->snapshots = 200;
    row->live_over_time[0] = -3; // others free what this thread allocates
    row->live_over_time[1] = 0.0f / (float)(row->snapshots - 200);
    row->live_over_time[2] = 3e38f;
    row->live_over_time[3] = -3e38f;
    struct record_name *name = sample_add(sample, RECORD_TABLE_names);
    *name = (struct record_name){.first = UINT32_MAX, .count = 2};
    (void)sample_add(sample, RECORD_TABLE_names); // more names than frames
    free(self->file);
    self->file = sample_file(sample, &self->size);

    struct recording *recording = read_fine(self);
    assert_int_equal(recording->modules[1].path.size, 0);
    assert_int_equal(recording->modules[1].build_id_size, 0);
    assert_int_equal(recording->frames[frame].module, RECORD_NONE);
    assert_int_equal(recording->nodes[orphan].parent, RECORD_NONE);
    assert_int_equal(recording->nodes[self_made].parent, RECORD_NONE);
    assert_int_equal(recording->nodes[frameless].parent, RECORD_NONE);
    assert_int_equal(recording->nodes[frameless].frame, 0);
    assert_int_equal(recording->sites[1].node, RECORD_NONE);
    assert_int_equal(recording->rows_count, 2); // one came of no site
    const struct record_row *read = &recording->rows[1];
    assert_int_equal(read->thread, RECORD_NONE);
    assert_int_equal(read->snapshots, RECORD_SNAPSHOTS);
    assert_true(read->live_over_time[0] == -3 && read->live_over_time[1] == 0);
    assert_true(read->live_over_time[2] < (float)INT64_MAX);
    assert_true(read->live_over_time[3] > (float)INT64_MIN);
    assert_int_equal(recording->sites[1].thread_count, 0); // the list reached beyond the end
    assert_int_equal(recording->site_threads[0].thread, RECORD_NONE);
    assert_int_equal(recording->names_count, recording->frames_count);
    assert_true(recording->unbelieved >= 10);
    recording_close(recording);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_in_comes_out, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_tables_and_columns_are_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_recording_without_any_table_is_empty_of_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_table_whose_name_only_begins_alike_is_another, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(columns_are_converted_by_name_and_type, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_name_the_programs_path_has_it, setup, teardown),
        cmocka_unit_test_setup_teardown(text_and_numbers_are_not_taken_for_each_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_no_recording_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_description_that_contradicts_itself_is_refused, setup,
                                        teardown),
        cmocka_unit_test(folders_pipes_and_what_is_not_there_are_told_apart),
        cmocka_unit_test_setup_teardown(a_file_cut_off_anywhere_is_read_as_far_as_it_goes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(counts_beyond_the_file_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_past_the_capacity_do_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(what_would_not_fit_into_memory_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peak_that_is_not_over_is_what_is_live, setup, teardown),
        cmocka_unit_test_setup_teardown(a_peak_that_is_over_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(what_points_nowhere_points_to_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
