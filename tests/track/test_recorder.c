// Protects: what a recording says of its process, and that images of one pid have files of their
// own.
#include "track_test.h"

#include <errno.h>

static const char *text_at(struct record_text text)
{
    static char copy[4096];
    memcpy(copy, recorder_row(RECORD_TABLE_bytes, text.offset), text.size);
    copy[text.size] = '\0';
    return copy;
}

static void it_says_whose_it_is(void **state)
{
    (void)state;
    const struct record_process *process = recorder.process;
    assert_int_equal(process->pid, getpid());
    assert_int_equal(process->parent_pid, getppid());
    assert_int_equal(process->image, 1);
    assert_non_null(strstr(text_at(process->program), "test_track_recorder"));
    assert_int_equal(process->command.size, sizeof "one" + sizeof "two words");
    assert_memory_equal(text_at(process->command), "one\0two words", 14);
    char expected[4096];
    assert_string_equal(text_at(process->directory), getcwd(expected, sizeof expected));
    assert_int_equal(process->state, RECORD_RUNNING);
    recorder_end(RECORD_ENDED);
    assert_int_equal(process->state, RECORD_ENDED);
}

static void a_second_image_has_a_second_file(void **state)
{
    (void)state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%%p.%%i", track_folder);
    record_writer_close(&recorder.writer);
    const struct recorder_options options = {path, false, 0, NULL, NULL};
    assert_int_equal(recorder_open(&options), 0);
    assert_int_equal(recorder.process->image, 2);
    assert_int_equal(recorder.process->command.size, 0);
    (void)snprintf(path, sizeof path, "%s/%d.2", track_folder, getpid());
    assert_int_equal(access(path, R_OK), 0);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    record_writer_close(&recorder.writer);
    const struct recorder_options options = {"/nowhere/%p", false, 0, NULL, NULL};
    assert_int_equal(recorder_open(&options), -ENOENT);
}

static void what_is_lost_is_counted_by_reason(void **state)
{
    (void)state;
    recorder_lose(LOSS_ROOM);
    recorder_lose(LOSS_ROOM);
    recorder_lose(LOSS_SIGNAL);
    const struct record_lost *lost = recorder_row(RECORD_TABLE_lost, LOSS_ROOM);
    assert_int_equal(lost->events, 2);
    assert_string_equal(text_at(lost->reason), "no room in the recording");
    lost = recorder_row(RECORD_TABLE_lost, LOSS_SIGNAL);
    assert_int_equal(lost->events, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_says_whose_it_is, begin_recording, end_recording),
        cmocka_unit_test_setup_teardown(a_second_image_has_a_second_file, begin_recording,
                                        end_recording),
        cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_an_error, begin_recording,
                                        end_recording),
        cmocka_unit_test_setup_teardown(what_is_lost_is_counted_by_reason, begin_recording,
                                        end_recording),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
