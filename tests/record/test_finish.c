// Protects: a finished recording holds what the unfinished one held, its names, and not one byte
// more than that takes.
#include "record/finish.h"

#include "sample.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct recording *read_again(int fd)
{
    struct reader_problem problem;
    struct recording *recording = recording_read(fd, &problem);
    assert_non_null(recording);
    return recording;
}

static struct recording *sample_read(struct sample *sample)
{
    size_t size = 0;
    uint8_t *file = sample_file(sample, &size);
    const int fd = sample_descriptor(file, size);
    struct recording *recording = read_again(fd);
    close(fd);
    free(file);
    return recording;
}

static struct recording *written_and_read(const struct recording *recording, uint64_t *size_out)
{
    const int fd = sample_descriptor((const uint8_t *)"", 0);
    assert_int_equal(finish_write(recording, fd), 0);
    struct recording *again = read_again(fd);
    *size_out = (uint64_t)lseek(fd, 0, SEEK_END);
    close(fd);
    return again;
}

static void sample_make(struct sample *sample)
{
    sample_init(sample);
    sample_process(sample)->program = sample_text(sample, "program");
    const uint32_t module = sample_module(sample, "/usr/bin/program");
    const uint32_t a = sample_frame(sample, module, 1, NULL, NULL, 0);
    const uint32_t b = sample_frame(sample, module, 2, NULL, NULL, 0);
    const uint32_t c = sample_frame(sample, module, 3, NULL, NULL, 0);
    const uint32_t site = SAMPLE_SITE(sample, a, b, c);
    (void)sample_row(sample, site, RECORD_NONE, 10, 20, 3);
}

static void check_same(const struct recording *one, const struct recording *other)
{
#define CHECK_TABLE(table, row, columns)                                                           \
    assert_int_equal(one->table##_count, other->table##_count);                                    \
    assert_memory_equal(one->table, other->table, one->table##_count * sizeof *one->table);
    RECORD_TABLES(CHECK_TABLE)
}

static void all_rows_are_kept(void **state)
{
    (void)state;
    struct sample sample;
    sample_make(&sample);
    struct recording *recording = sample_read(&sample);
    uint64_t size = 0;
    struct recording *again = written_and_read(recording, &size);
    check_same(recording, again);
    assert_int_equal(again->missing + again->unbelieved, 0);
    assert_int_equal(size, recording->file_size); // the sample is compact, too
    recording_close(again);
    recording_close(recording);
    sample_deinit(&sample);
}

// The second frame has an inlined function, the third no name.
static size_t name_all(void *context, const struct recording *recording, size_t frame,
                       struct finish_line *lines_out, size_t max)
{
    (void)context;
    assert_int_equal(recording->frames[frame].offset, frame + 1);
    assert_true(max >= 2);
    if (frame == 2) return 0;
    lines_out[0] =
        (struct finish_line){.function = "work", .linkage = "_Z4workv", .file = "w.c", .line = 7};
    if (frame == 0) return 1;
    lines_out[0].is_inlined = true;
    lines_out[1] = (struct finish_line){.function = "caller"};
    return 2;
}

static void check_text(const struct recording *recording, struct record_text text,
                       const char *expected)
{
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(recording_text(recording, text), expected, text.size);
}

static void names_are_added_and_equal_texts_shared(void **state)
{
    (void)state;
    struct sample sample;
    sample_make(&sample);
    struct recording *recording = sample_read(&sample);
    const size_t bytes_before = recording->bytes_count;
    assert_int_equal(finish_names(recording, name_all, NULL), 0);
    assert_int_equal(recording->bytes_count, bytes_before + strlen("work_Z4workvw.ccaller"));
    const struct process_end end = {.status = 9, .duration_ms = 1234};
    finish_status(recording, &end);

    uint64_t size = 0;
    struct recording *again = written_and_read(recording, &size);
    check_same(recording, again);
    check_text(again, again->process->program, "program");
    assert_int_equal(again->process->state, RECORD_WAITED);
    assert_int_equal(again->process->status, 9);
    assert_int_equal(again->process->duration_ms, 1234);
    assert_int_equal(again->names_count, 3);
    assert_int_equal(again->names[0].count, 1);
    assert_int_equal(again->names[2].count, 0);
    const struct record_line *lines = &again->lines[again->names[1].first];
    check_text(again, lines[0].function, "work");
    check_text(again, lines[0].linkage, "_Z4workv");
    assert_int_equal(lines[0].line, 7);
    assert_int_equal(lines[0].is_inlined, 1);
    check_text(again, lines[1].function, "caller");
    check_text(again, lines[1].file, "");
    recording_close(again);

    // Names may be given again; those that are there are replaced.
    assert_int_equal(finish_names(recording, name_all, NULL), 0);
    assert_int_equal(recording->lines_count, 3);
    recording_close(recording);
    sample_deinit(&sample);
}

static size_t name_each(void *context, const struct recording *recording, size_t frame,
                        struct finish_line *lines_out, size_t max)
{
    (void)recording;
    (void)max;
    char *name = context;
    name[0] = (char)('a' + frame % 26);
    name[1] = (char)('a' + frame / 26 % 26);
    name[2] = (char)('a' + frame / 26 / 26);
    lines_out[0] = (struct finish_line){.function = name};
    return frame == 0 ? 1000 : 1; // more than fit
}

static void many_names_keep_apart(void **state)
{
    (void)state;
    struct sample sample;
    sample_init(&sample);
    for (uint64_t i = 0; i < 5000; i++) (void)sample_frame(&sample, RECORD_NONE, i, NULL, NULL, 0);
    struct recording *recording = sample_read(&sample);
    char name[4] = "";
    assert_int_equal(finish_names(recording, name_each, name), 0);
    assert_int_equal(recording->names[0].count, FINISH_LINES_MAX);
    for (size_t i = 1; i < 5000; i++) {
        const struct record_text text = recording->lines[recording->names[i].first].function;
        const char expected[] = {(char)('a' + i % 26), (char)('a' + i / 26 % 26),
                                 (char)('a' + i / 26 / 26)};
        assert_int_equal(text.size, 3);
        assert_memory_equal(recording_text(recording, text), expected, 3);
    }
    recording_close(recording);
    sample_deinit(&sample);
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct sample sample;
    sample_make(&sample);
    struct recording *recording = sample_read(&sample);
    const int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        assert_int_equal(finish_write(recording, fd), -ENOSPC);
        close(fd);
    }
    recording_close(recording);
    sample_deinit(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_rows_are_kept),
        cmocka_unit_test(names_are_added_and_equal_texts_shared),
        cmocka_unit_test(many_names_keep_apart),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
