// Protects: the rows of a site's threads become one that says what they said together, of the past
// too; and its threads are not forgotten.
#include "record/merge.h"

#include "record/finish.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FIRST, SECOND, SITES };

struct fixture {
    struct sample sample;
    uint32_t threads[100];
    uint32_t sites[SITES];
    struct recording *recording;
};

static int set_up(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    sample_init(&self->sample);
    sample_process(&self->sample)->snapshot_interval_ms = 10;
    for (uint32_t i = 0; i < 100; i++) {
        self->threads[i] = sample_thread(&self->sample, 1000 + i, "worker");
    }
    const uint32_t frame = sample_frame(&self->sample, RECORD_NONE, 7, NULL, NULL, 0);
    const uint32_t other = sample_frame(&self->sample, RECORD_NONE, 8, NULL, NULL, 0);
    self->sites[FIRST] = SAMPLE_SITE(&self->sample, frame);
    self->sites[SECOND] = SAMPLE_SITE(&self->sample, other);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *self = *state;
    recording_close(self->recording);
    sample_deinit(&self->sample);
    free(self);
    return 0;
}

static struct record_row *add(struct fixture *self, int site, int thread)
{
    const uint32_t row =
        sample_row(&self->sample, self->sites[site], self->threads[thread], 0, 0, 0);
    struct record_row *added = sample_row_at(&self->sample, row);
    added->step_min = added->step_max = 0;
    return added;
}

// The reader merges what it has read.
static const struct recording *read_all(struct fixture *self)
{
    size_t size;
    uint8_t *file = sample_file(&self->sample, &size);
    const int fd = sample_descriptor(file, size);
    struct reader_problem problem;
    recording_close(self->recording);
    self->recording = recording_read(fd, &problem);
    assert_non_null(self->recording);
    close(fd);
    free(file);
    return self->recording;
}

static const struct record_row *row_of(const struct recording *recording, uint32_t site)
{
    const struct record_row *found = NULL;
    for (size_t i = 0; i < recording->rows_count; i++) {
        if (recording->rows[i].site != site) continue;
        assert_null(found);
        found = &recording->rows[i];
    }
    assert_non_null(found);
    return found;
}

static void what_was_counted_is_summed(void **state)
{
    struct fixture *self = *state;
    for (int i = 0; i < 3; i++) {
        struct record_row *row = add(self, FIRST, i);
        const uint64_t by = i == 0 ? 1 : i == 1 ? 10 : 100;
        row->allocations = 5 * by;
        row->bytes_allocated = 90 * by;
        row->wasted_allocated = 7 * by;
        row->frees = 3 * by;
        row->bytes_freed = 40 * by;
        row->wasted_freed = 2 * by;
        row->temporary = by;
        row->reallocations = 2 * by;
        row->inherited = 4 * by;
        row->inherited_bytes = 8 * by;
        for (size_t j = 0; j < RECORD_SIZE_BUCKETS; j++) row->sizes[j] = by * ((j + 1) % 9);
    }
    const struct recording *recording = read_all(self);
    assert_int_equal(recording->rows_count, 1);
    const struct record_row *row = row_of(recording, self->sites[FIRST]);
    assert_int_equal(row->allocations, 555);
    assert_int_equal(row->bytes_allocated, 9990);
    assert_int_equal(row->wasted_allocated, 777);
    assert_int_equal(row->frees, 333);
    assert_int_equal(row->bytes_freed, 4440);
    assert_int_equal(row->wasted_freed, 222);
    assert_int_equal(row->temporary, 111);
    assert_int_equal(row->reallocations, 222);
    assert_int_equal(row->inherited, 444);
    assert_int_equal(row->inherited_bytes, 888);
    for (size_t j = 0; j < RECORD_SIZE_BUCKETS; j++) {
        assert_int_equal(row->sizes[j], 111 * ((j + 1) % 9));
    }
    assert_int_equal(row->thread, RECORD_NONE);
}

static void bounds_are_those_of_whoever_allocated(void **state)
{
    struct fixture *self = *state;
    struct record_row *row = add(self, FIRST, 0);
    *row =
        (struct record_row){.site = self->sites[FIRST], .frees = 1, .first_ms = 30, .last_ms = 30};
    row = add(self, FIRST, 1);
    row->allocations = row->reallocations = 1;
    row->size_min = 50;
    row->size_max = 60;
    row->step_min = 5;
    row->step_max = 9;
    row->first_ms = 20;
    row->last_ms = 90;
    row = add(self, FIRST, 2);
    row->allocations = row->reallocations = 1;
    row->size_min = 55;
    row->size_max = 70;
    row->step_min = -8;
    row->step_max = -7;
    row->first_ms = 40;
    row->last_ms = 80;
    const struct record_row *merged = row_of(read_all(self), self->sites[FIRST]);
    assert_int_equal(merged->size_min, 50);
    assert_int_equal(merged->size_max, 70);
    assert_int_equal(merged->step_min, -8);
    assert_int_equal(merged->step_max, 9);
    assert_int_equal(merged->first_ms, 20);
    assert_int_equal(merged->last_ms, 90);
}

// One thread allocates what another frees: at no time was much live.
static void what_one_thread_makes_and_another_frees_was_never_all_live(void **state)
{
    struct fixture *self = *state;
    struct record_row *row = add(self, FIRST, 0);
    row->allocations = 1000;
    row->bytes_allocated = 1000000;
    row->size_max = 1000;
    row->peak_bytes = 1000000;
    row->snapshots = 4;
    for (int i = 0; i < 4; i++) row->live_over_time[i] = (float)(250000 * (i + 1));
    row = add(self, FIRST, 1);
    row->frees = 1000;
    row->bytes_freed = 1000000;
    row->snapshots = 4;
    for (int i = 0; i < 4; i++)
        row->live_over_time[i] = (float)(-250000 * (i + 1) + 3000 * (i % 2));
    const struct record_row *merged = row_of(read_all(self), self->sites[FIRST]);
    assert_int_equal(merged->snapshots, 4);
    const float expected[] = {0, 3000, 0, 3000};
    assert_memory_equal(merged->live_over_time, expected, sizeof expected);
    assert_int_equal(merged->peak_bytes, 3000);
}

// What has passed is so much that a snapshot cannot tell the little that was live.
static void noise_is_no_peak(void **state)
{
    struct fixture *self = *state;
    const uint64_t passed = UINT64_C(1) << 32;
    for (int i = 0; i < 2; i++) {
        struct record_row *row = add(self, FIRST, i);
        if (i == 0) row->bytes_allocated = passed;
        if (i == 1) row->bytes_freed = passed;
        row->size_max = 16;
        row->snapshots = 2;
        row->live_over_time[0] = (float)(i == 0 ? (double)passed / 2 + 256 : -(double)passed / 2);
    }
    const struct record_row *merged = row_of(read_all(self), self->sites[FIRST]);
    assert_true(merged->live_over_time[0] > 16);
    assert_int_equal(merged->peak_bytes, 16);
}

static void the_largest_block_was_live(void **state)
{
    struct fixture *self = *state;
    for (int i = 0; i < 2; i++) {
        struct record_row *row = add(self, FIRST, i);
        row->allocations = row->frees = 1;
        row->size_max = row->bytes_allocated = row->bytes_freed = 77;
        row->peak_bytes = 77;
    }
    assert_int_equal(row_of(read_all(self), self->sites[FIRST])->peak_bytes, 77);
}

// Intervals of one row are twice and four times as long as another's.
static void snapshots_meet_in_the_longest_interval(void **state)
{
    struct fixture *self = *state;
    struct record_row *row = add(self, FIRST, 0);
    row->bytes_allocated = 100;
    row->snapshots = 5; // 10 … 50 ms; later 100, as now
    for (int i = 0; i < 5; i++) row->live_over_time[i] = (float)(i + 1);
    row = add(self, FIRST, 1);
    row->bytes_allocated = 1000;
    row->interval_shift = 2;
    row->snapshots = 3; // 40, 80, 120 ms; later 1000
    for (int i = 0; i < 3; i++) row->live_over_time[i] = (float)(200 * (i + 1));
    row = add(self, FIRST, 2);
    row->bytes_allocated = 30000;
    row->interval_shift = 1;
    row->snapshots = 4; // 20 … 80 ms; later 30000
    for (int i = 0; i < 4; i++) row->live_over_time[i] = (float)(10000 * i);
    const struct record_row *merged = row_of(read_all(self), self->sites[FIRST]);
    assert_int_equal(merged->interval_shift, 2);
    assert_int_equal(merged->snapshots, 3);
    const float expected[] = {10204, 30500, 30700};
    assert_memory_equal(merged->live_over_time, expected, sizeof expected);
}

// Files may claim anything; an integer is made of it.
static void what_nobody_has_is_bounded(void **state)
{
    struct fixture *self = *state;
    for (int i = 0; i < 3; i++) {
        struct record_row *row = add(self, FIRST, i);
        row->snapshots = 2;
        row->live_over_time[0] = 3e38f;
        row->live_over_time[1] = -3e38f;
    }
    struct record_row *last = add(self, FIRST, 3); // live where others have snapshots
    last->bytes_allocated = INT64_MAX;
    const struct record_row *merged = row_of(read_all(self), self->sites[FIRST]);
    assert_true(merged->live_over_time[0] > 0); // it did not turn over
    for (int i = 0; i < 2; i++) {
        assert_true(merged->live_over_time[i] < (float)INT64_MAX);
        assert_true(merged->live_over_time[i] > (float)INT64_MIN);
    }
}

// What happened to a row after the peak says what was live at it; if nothing did, it is live now.
static void what_was_live_at_the_peak_is_summed(void **state)
{
    struct fixture *self = *state;
    sample_process(&self->sample)->peak_count = 9;
    struct record_row *row = add(self, FIRST, 0);
    row->peak_count = 9;
    row->at_peak_bytes = 500;
    row->at_peak_blocks = 5;
    row->at_peak_wasted = 50;
    row = add(self, FIRST, 1);
    row->peak_count = 8;
    row->at_peak_bytes = 9999;
    row->allocations = 3;
    row->frees = 1;
    row->bytes_allocated = 70;
    row->bytes_freed = 10;
    row->wasted_allocated = 9;
    row->wasted_freed = 1;
    const struct record_row *merged = row_of(read_all(self), self->sites[FIRST]);
    assert_int_equal(merged->peak_count, 9);
    assert_int_equal(merged->at_peak_bytes, 560);
    assert_int_equal(merged->at_peak_blocks, 7);
    assert_int_equal(merged->at_peak_wasted, 58);
}

static void threads_are_listed_in_the_order_they_came(void **state)
{
    struct fixture *self = *state;
    for (int i = 0; i < 100; i++) {
        add(self, FIRST, 99 - i)->allocations = 1;
        if (i < 2) add(self, SECOND, 7 + i)->allocations = 1;
    }
    const struct recording *recording = read_all(self);
    const struct record_site *site = &recording->sites[self->sites[FIRST]];
    assert_int_equal(site->thread_count, 100);
    assert_int_equal(merge_listed(site->thread_count), RECORD_SITE_THREADS_MAX);
    for (uint32_t i = 0; i < RECORD_SITE_THREADS_MAX; i++) {
        const struct record_site_thread *thread = &recording->site_threads[site->first_thread + i];
        assert_int_equal(recording->threads[thread->thread].tid, 1099 - i);
    }
    site = &recording->sites[self->sites[SECOND]];
    assert_int_equal(site->thread_count, 2);
    const struct record_site_thread *both = &recording->site_threads[site->first_thread];
    assert_int_equal(recording->threads[both[0].thread].tid, 1007);
    assert_int_equal(recording->threads[both[1].thread].tid, 1008);
    assert_int_equal(recording->site_threads_count, RECORD_SITE_THREADS_MAX + 2);
    assert_int_equal(recording->unbelieved, 0);
}

static void a_site_of_one_thread_stays_as_it_was(void **state)
{
    struct fixture *self = *state;
    add(self, FIRST, 4)->peak_bytes = 123;
    add(self, SECOND, 5)->peak_bytes = 456;
    const struct recording *recording = read_all(self);
    assert_int_equal(recording->rows_count, 2);
    assert_int_equal(recording->site_threads_count, 0);
    const struct record_row *row = row_of(recording, self->sites[FIRST]);
    assert_int_equal(row->peak_bytes, 123);
    assert_int_equal(recording->threads[row->thread].tid, 1004);
    assert_int_equal(recording->sites[self->sites[FIRST]].thread_count, 0);
}

// Written and read again, it says the same.
static void a_merged_recording_is_not_merged_again(void **state)
{
    struct fixture *self = *state;
    for (int i = 0; i < 70; i++) {
        struct record_row *row = add(self, FIRST, i);
        row->allocations = 2;
        row->bytes_allocated = 64;
    }
    const struct recording *recording = read_all(self);
    const int fd = sample_descriptor((const uint8_t *)"", 0);
    assert_int_equal(finish_write(recording, fd), 0);
    struct reader_problem problem;
    struct recording *again = recording_read(fd, &problem);
    close(fd);
    assert_non_null(again);
    assert_int_equal(again->rows_count, 1);
    assert_memory_equal(again->rows, recording->rows, sizeof *again->rows);
    assert_int_equal(again->site_threads_count, RECORD_SITE_THREADS_MAX);
    assert_memory_equal(again->site_threads, recording->site_threads,
                        RECORD_SITE_THREADS_MAX * sizeof *again->site_threads);
    assert_memory_equal(again->sites, recording->sites, SITES * sizeof *again->sites);
    assert_int_equal(again->unbelieved, 0);
    recording_close(again);
}

// A file may say both: the rows are what was counted.
static void rows_say_more_than_a_list(void **state)
{
    struct fixture *self = *state;
    for (int i = 0; i < 3; i++) add(self, FIRST, i)->allocations = 1;
    struct record_site_thread *thread = sample_add(&self->sample, RECORD_TABLE_site_threads);
    thread->thread = self->threads[50];
    struct record_site *sites = (struct record_site *)self->sample.tables[RECORD_TABLE_sites].rows;
    sites[self->sites[FIRST]].thread_count = 1;
    const struct recording *recording = read_all(self);
    const struct record_site *site = &recording->sites[self->sites[FIRST]];
    assert_int_equal(site->thread_count, 3);
    assert_int_equal(recording->site_threads[site->first_thread].thread, self->threads[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_was_counted_is_summed),
        TEST(bounds_are_those_of_whoever_allocated),
        TEST(what_one_thread_makes_and_another_frees_was_never_all_live),
        TEST(noise_is_no_peak),
        TEST(the_largest_block_was_live),
        TEST(snapshots_meet_in_the_longest_interval),
        TEST(what_nobody_has_is_bounded),
        TEST(what_was_live_at_the_peak_is_summed),
        TEST(threads_are_listed_in_the_order_they_came),
        TEST(a_site_of_one_thread_stays_as_it_was),
        TEST(a_merged_recording_is_not_merged_again),
        TEST(rows_say_more_than_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
