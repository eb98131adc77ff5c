// Protects: every event is in its site's rows and its thread's row, exactly, whatever thread frees;
// rows of ended threads go on; peaks and snapshots say what was live at their moment.
#include "track_test.h"

#include <pthread.h>

struct sums {
    uint64_t allocations, bytes, frees, bytes_freed, temporary, reallocations;
    int64_t at_peak;
    uint32_t rows;
};

static struct sums sums_of(uint32_t site)
{
    struct sums sums = {0};
    for (uint32_t i = 0; i < record_writer_count(&recorder.writer, RECORD_TABLE_rows); i++) {
        const struct record_row *row = recorder_row(RECORD_TABLE_rows, i);
        if (row->site != site) continue;
        bool is_noted = row->peak_count == recorder.process->peak_count;
        sums.rows++;
        sums.allocations += row->allocations;
        sums.bytes += row->bytes_allocated;
        sums.frees += row->frees;
        sums.bytes_freed += row->bytes_freed;
        sums.temporary += row->temporary;
        sums.reallocations += row->reallocations;
        sums.at_peak +=
            is_noted ? row->at_peak_bytes : (int64_t)(row->bytes_allocated - row->bytes_freed);
    }
    return sums;
}

// As a reader has it: what threads say.
static int64_t live_bytes(void)
{
    int64_t bytes = 0;
    for (uint32_t i = 0; i < record_writer_count(&recorder.writer, RECORD_TABLE_threads); i++) {
        const struct record_thread *thread = recorder_row(RECORD_TABLE_threads, i);
        bytes += (int64_t)(thread->bytes_allocated - thread->bytes_freed);
    }
    return bytes;
}

static void allocate(struct tally *tally, uint32_t site, uint64_t size)
{
    const struct event event = {recorder_now_ms(), site, size, size + 8};
    assert_true(tally_allocation(tally, &event));
}

static void release(struct tally *tally, uint32_t site, uint64_t size)
{
    const struct event event = {recorder_now_ms(), site, size, size + 8};
    assert_true(tally_free(tally, &event, false));
}

static void one_thread_is_exact_at_every_moment(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_enter(&tally));
    allocate(&tally, 10, 1000);
    allocate(&tally, 11, 500);
    release(&tally, 10, 1000);
    allocate(&tally, 12, 900); // 1400 are live: less than there were
    assert_int_equal(recorder.process->peak_bytes, 1500);
    assert_int_equal(live_bytes(), 1400);
    assert_int_equal(sums_of(10).at_peak, 1000);
    assert_int_equal(sums_of(11).at_peak, 500);
    assert_int_equal(sums_of(12).at_peak, 0);
    allocate(&tally, 10, 101);                            // 1501
    assert_int_equal(recorder.process->peak_bytes, 1500); // until it is over
    release(&tally, 12, 900);
    assert_int_equal(recorder.process->peak_bytes, 1501);
    assert_int_equal(recorder.process->peak_blocks, 3);
    assert_int_equal(recorder.process->is_peak_exact, 1);
    release(&tally, 11, 500);
    assert_int_equal(sums_of(10).at_peak, 101);
    assert_int_equal(sums_of(11).at_peak, 500);
    assert_int_equal(sums_of(12).at_peak, 900);
    assert_int_equal(tally.thread->allocations, 4);
    assert_int_equal(tally.thread->frees, 3);
    assert_int_equal(tally.thread->bytes_allocated, 2501);
    assert_int_equal(tally.thread->wasted_allocated, 32);
    tally_leave(&tally);
}

static void sizes_have_their_buckets_and_limits(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_enter(&tally));
    const uint64_t sizes[] = {1, 16, 17, 32, 33, UINT64_C(16) << 14, (UINT64_C(16) << 14) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) allocate(&tally, 5, sizes[i]);
    const struct record_row *row = recorder_row(RECORD_TABLE_rows, 0);
    assert_int_equal(row->sizes[0], 2);
    assert_int_equal(row->sizes[1], 2);
    assert_int_equal(row->sizes[2], 1);
    assert_int_equal(row->sizes[14], 1);
    assert_int_equal(row->sizes[15], 1);
    assert_int_equal(row->size_min, 1);
    assert_int_equal(row->size_max, (16 << 14) + 1);
    tally_leave(&tally);
}

static void a_realloc_has_steps(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_enter(&tally));
    const uint64_t sizes[] = {100, 150, 50};
    allocate(&tally, 5, sizes[0]);
    for (size_t i = 1; i < 3; i++) {
        release(&tally, 5, sizes[i - 1]);
        allocate(&tally, 5, sizes[i]);
        const struct event event = {0, 5, sizes[i], sizes[i]};
        tally_resize(&tally, &event, sizes[i - 1]);
    }
    const struct record_row *row = recorder_row(RECORD_TABLE_rows, 0);
    assert_int_equal(row->reallocations, 2);
    assert_int_equal(row->step_min, -100);
    assert_int_equal(row->step_max, 50);
    tally_leave(&tally);
}

// One thread grows alone; then there are two, and one of them frees it all.
static void end_the_peak_of_one(bool ends_it_itself)
{
    enum { SIZE = 100000000 };
    struct tally tally;
    struct tally other;
    assert_true(tally_enter(&tally));
    allocate(&tally, 10, SIZE);
    assert_true(tally_enter(&other));
    release(ends_it_itself ? &tally : &other, 10, SIZE);
    assert_int_equal(recorder.process->peak_bytes, SIZE);
    assert_int_equal(sums_of(10).at_peak, SIZE);
    tally_leave(&other);
    tally_leave(&tally);
}

static void what_one_thread_held_alone_is_the_peak_that_others_end(void **state)
{
    (void)state;
    end_the_peak_of_one(false);
}

static void who_held_it_alone_may_end_it(void **state)
{
    (void)state;
    end_the_peak_of_one(true);
}

static void a_free_taken_back_leaves_no_trace(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_enter(&tally));
    allocate(&tally, 5, 100);
    const struct event event = {0, 5, 100, 108};
    assert_true(tally_free(&tally, &event, true));
    assert_int_equal(sums_of(5).temporary, 1);
    tally_keep(&tally, &event, true);
    assert_int_equal(sums_of(5).frees, 0);
    assert_int_equal(sums_of(5).bytes_freed, 0);
    assert_int_equal(sums_of(5).temporary, 0);
    assert_int_equal(live_bytes(), 100);
    assert_int_equal(recorder.process->peak_bytes, 100);
    tally_leave(&tally);
}

enum { ROUNDS = 20000, THREADS = 4, SITES = 8 };

static void *work(void *argument)
{
    struct tally tally;
    uint32_t number = *(uint32_t *)argument;
    assert_true(tally_enter(&tally));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        allocate(&tally, 10 + i % SITES, number + 1);
        if (i % 2) release(&tally, 10 + i % SITES, number + 1);
    }
    tally_leave(&tally);
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint32_t numbers[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    uint64_t allocations = 0;
    int64_t live = 0;
    for (uint32_t site = 10; site < 10 + SITES; site++) {
        struct sums sums = sums_of(site);
        allocations += sums.allocations;
        live += (int64_t)(sums.bytes - sums.bytes_freed);
        assert_int_equal(sums.allocations, THREADS * ROUNDS / SITES);
        assert_true(sums.rows <= THREADS);
    }
    assert_int_equal(allocations, THREADS * ROUNDS);
    // Sizes 1, 2, 3, 4; every second block is left.
    assert_int_equal(live, (1 + 2 + 3 + 4) * ROUNDS / 2);
    assert_int_equal(recorder.process->live_bytes, live); // all have ended
    assert_true(recorder.process->peak_bytes >= (uint64_t)live * 99 / 100);
}

static void who_comes_after_an_ended_thread_goes_on_in_its_rows(void **state)
{
    (void)state;
    struct tally stays;
    assert_true(tally_enter(&stays));
    allocate(&stays, 5, 1);
    for (int i = 0; i < 100; i++) {
        struct tally comes;
        assert_true(tally_enter(&comes));
        allocate(&comes, 5, 1);
        release(&comes, 5, 1);
        tally_leave(&comes);
    }
    assert_int_equal(sums_of(5).rows, 2);
    assert_int_equal(sums_of(5).allocations, 101);
    assert_int_equal(sums_of(5).frees, 100);
    tally_leave(&stays);
}

static void more_threads_than_slots_take_over_what_is_left(void **state)
{
    (void)state;
    uint32_t slots = recorder.writer.tables[RECORD_TABLE_threads].capacity;
    for (uint32_t i = 0; i < slots + 50; i++) {
        struct tally comes;
        assert_true(tally_enter(&comes));
        allocate(&comes, 5, 1);
        tally_leave(&comes);
    }
    assert_int_equal(sums_of(5).allocations, slots + 50);
    assert_int_equal(sums_of(5).rows, 1);
}

static void snapshots_follow_what_is_live(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_enter(&tally));
    allocate(&tally, 5, 1000);
    course_tick(801); // ten intervals of 80 ms
    allocate(&tally, 5, 500);
    const struct record_row *row = recorder_row(RECORD_TABLE_rows, 0);
    assert_int_equal(row->snapshots, 10);
    for (int i = 0; i < 10; i++) assert_true(row->live_over_time[i] == 1000);
    course_tick(80 * 64 + 1); // all are over: they are coarsened to half as many
    release(&tally, 5, 1000);
    assert_int_equal(row->interval_shift, 1);
    assert_int_equal(row->snapshots, 32);
    for (int i = 0; i < 32; i++) assert_true(row->live_over_time[i] == (i < 5 ? 1000 : 1500));
    course_tick(UINT64_C(1000) * 3600 * 24);
    allocate(&tally, 6, 1);
    release(&tally, 5, 500);
    assert_true(row->snapshots >= RECORD_SNAPSHOTS / 2 && row->snapshots <= RECORD_SNAPSHOTS);
    assert_true(row->live_over_time[row->snapshots - 1] == 500);
    tally_leave(&tally);
}

static void the_timeline_is_bounded_and_evenly_spaced(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_enter(&tally));
    uint64_t end_ms = 123456;
    for (uint64_t now_ms = 0; now_ms < end_ms; now_ms += 7) {
        const struct event event = {now_ms, 5, 10, 16};
        assert_true(tally_allocation(&tally, &event));
        course_look(now_ms);
    }
    uint32_t count = record_writer_count(&recorder.writer, RECORD_TABLE_timeline);
    uint32_t interval_ms = recorder.process->timeline_interval_ms;
    assert_true(count >= RECORD_TIMELINE_MAX / 2 && count < RECORD_TIMELINE_MAX);
    assert_true((uint64_t)count * interval_ms <= end_ms);
    assert_true((uint64_t)(count + 1) * interval_ms + 7 >= end_ms);
    for (uint32_t i = 0; i < count; i++) {
        const struct record_point *point = recorder_row(RECORD_TABLE_timeline, i);
        uint64_t expected = (uint64_t)(i + 1) * interval_ms / 7 * 10;
        uint64_t wrong = point->live_bytes > expected ? point->live_bytes - expected
                                                      : expected - point->live_bytes;
        assert_true(wrong <= 20);
        assert_int_equal(point->allocations * 10, point->live_bytes);
    }
    tally_leave(&tally);
}

static void what_is_shared_counts_in_rows_of_its_own(void **state)
{
    (void)state;
    struct tally tally;
    assert_true(tally_enter(&tally));
    allocate(&tally, 5, 100);
    recorder_take();
    allocate(tally_shared(), 5, 10);
    release(tally_shared(), 5, 100);
    tally_unseen(tally_shared());
    recorder_give();
    allocate(&tally, 5, 100);
    assert_int_equal(sums_of(5).rows, 2);
    assert_int_equal(sums_of(5).allocations, 3);
    assert_int_equal(sums_of(5).frees, 1);
    tally_leave(&tally);
    assert_int_equal(recorder.process->live_bytes, 110);
    assert_int_equal(recorder.process->is_peak_exact, 0); // what it interrupted may have been one
}

static void what_finds_no_row_of_its_site_stands_at_the_others(void **state)
{
    (void)state;
    enum { ROW_MAX = 80, SITE_COUNT = 100 };
    recorder.writer.tables[RECORD_TABLE_rows].capacity = ROW_MAX;
    struct tally tally;
    struct tally other;
    assert_true(tally_enter(&tally));
    assert_true(tally_enter(&other));
    for (uint32_t site = 10; site < 10 + SITE_COUNT; site++) {
        for (int i = 0; i < 2; i++) allocate(&tally, site, 100);
        allocate(&other, site, 10);
        release(&other, site, 100);
    }
    struct sums all = {0};
    for (uint32_t site = 0; site < 10 + SITE_COUNT; site++) {
        const struct sums sums = sums_of(site);
        all.allocations += sums.allocations;
        all.bytes += sums.bytes;
        all.frees += sums.frees;
        all.bytes_freed += sums.bytes_freed;
    }
    assert_int_equal(all.allocations, 3 * SITE_COUNT);
    assert_int_equal(all.bytes, SITE_COUNT * 210);
    assert_int_equal(all.frees, SITE_COUNT);
    assert_int_equal(all.bytes_freed, SITE_COUNT * 100);
    assert_int_equal(sums_of(SITE_OTHERS).rows, 2); // one of each thread
    assert_int_equal(sums_of(10).allocations, 3);
    assert_int_equal(sums_of(10 + SITE_COUNT - 1).allocations, 0);
    tally_leave(&other);
    tally_leave(&tally);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, begin_recording, end_recording)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(one_thread_is_exact_at_every_moment),
        WITH_RECORDING(sizes_have_their_buckets_and_limits),
        WITH_RECORDING(a_realloc_has_steps),
        WITH_RECORDING(a_free_taken_back_leaves_no_trace),
        WITH_RECORDING(what_one_thread_held_alone_is_the_peak_that_others_end),
        WITH_RECORDING(who_held_it_alone_may_end_it),
        WITH_RECORDING(threads_lose_nothing),
        WITH_RECORDING(who_comes_after_an_ended_thread_goes_on_in_its_rows),
        WITH_RECORDING(more_threads_than_slots_take_over_what_is_left),
        WITH_RECORDING(snapshots_follow_what_is_live),
        WITH_RECORDING(the_timeline_is_bounded_and_evenly_spaced),
        WITH_RECORDING(what_is_shared_counts_in_rows_of_its_own),
        WITH_RECORDING(what_finds_no_row_of_its_site_stands_at_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
