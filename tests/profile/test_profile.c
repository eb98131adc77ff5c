// Protects: the sums, the peak, the owners of rows and the lives over time that all reports show.
#include "profile/profile.h"

#include "record/reader.h"
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// A program with a wrapper of its own, a library without names, and the C library.
struct fixture {
    struct sample sample;
    uint32_t thread;
    uint32_t malloc_frame;
    uint32_t pool_frame; // pool_take, of rows.c
    uint32_t load;       // load_rows, of rows.c
    uint32_t parse;      // parse, inlined into load_rows
    uint32_t read;
    uint32_t main;
    uint32_t nameless;
    struct recording *recording;
    struct profile *profile;
};

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    struct sample *sample = &self->sample;
    sample_init(sample);
    const uint32_t program = sample_module(sample, "/usr/bin/program");
    const uint32_t libc = sample_module(sample, "/usr/lib/libc.so.6");
    const uint32_t plugin = sample_module(sample, "/usr/lib/plugin.so");
    self->thread = sample_thread(sample, 17, "main");
    self->malloc_frame = sample_frame(sample, libc, 0x10, NULL, NULL, 0);
    self->pool_frame = sample_frame(sample, program, 0x20, "pool_take(unsigned long)", "pool.c", 3);
    self->load = sample_frame(sample, program, 0x30, "load_rows(char const*)", "rows.c", 120);
    self->parse = sample_frame(sample, program, 0x40, "parse<int>(int)", "parse.h", 9);
    sample_outer_line(sample, "load_rows(char const*)", "rows.c", 130);
    self->read = sample_frame(sample, program, 0x50, "read_file", "rows.c", 200);
    self->main = sample_frame(sample, program, 0x60, "main", "main.c", 8);
    self->nameless = sample_frame(sample, plugin, 0x1234, NULL, NULL, 0);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;
    profile_destroy(self->profile);
    recording_close(self->recording);
    sample_deinit(&self->sample);
    free(self);
    return 0;
}

static const struct profile *profile_of(struct fixture *self, const struct profile_options *options)
{
    profile_destroy(self->profile);
    recording_close(self->recording);
    size_t size = 0;
    uint8_t *file = sample_file(&self->sample, &size);
    const int fd = sample_descriptor(file, size);
    struct reader_problem problem;
    self->recording = recording_read(fd, &problem);
    assert_non_null(self->recording);
    close(fd);
    free(file);
    self->profile = profile_create(self->recording, options);
    assert_non_null(self->profile);
    return self->profile;
}

static const struct profile_row *row_named(const struct profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->rows_count; i++) {
        const struct profile_row *row = &profile->rows[i];
        if (strcmp(profile->functions[row->function].name, name) == 0) return row;
    }
    return NULL;
}

static void rows_of_several_threads_add_up(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t other = sample_thread(sample, 18, "other");
    const uint32_t site = SAMPLE_SITE(sample, self->load, self->main);
    const uint32_t first = sample_row(sample, site, self->thread, 10, 100, 0);
    const uint32_t second = sample_row(sample, site, other, 4, 8, 2);
    sample_row_at(sample, second)->bytes_freed = 900; // nine of the first's
    sample_row_at(sample, second)->frees = 11;
    sample_row_at(sample, second)->temporary = 1;
    sample_row_at(sample, first)->first_ms = 7;
    sample_row_at(sample, second)->first_ms = 5;
    sample_row_at(sample, second)->last_ms = 70;
    sample_row_at(sample, second)->reallocations = 2;
    sample_row_at(sample, second)->step_min = -8;
    sample_row_at(sample, second)->step_max = -4;
    sample_total(sample);

    const struct profile *profile = profile_of(self, NULL);
    const struct profile_site *read = &profile->sites[0];
    assert_int_equal(read->figures.allocations, 14);
    assert_int_equal(read->figures.bytes_allocated, 1032);
    assert_int_equal(read->figures.frees, 11);
    assert_int_equal(read->figures.live_blocks, 3);
    assert_int_equal(read->figures.live_bytes, 132);
    assert_int_equal(read->figures.temporary, 1);
    assert_int_equal(read->size_min, 8);
    assert_int_equal(read->size_max, 100);
    assert_int_equal(read->first_ms, 5);
    assert_int_equal(read->last_ms, 70);
    assert_int_equal(read->step_min, -8);
    assert_int_equal(read->step_max, -4);
    assert_false(read->is_peak_exact);
    assert_int_equal(read->peak_bytes, 132); // what was certainly live, no thread's own peak
    assert_memory_equal(&profile->totals, &read->figures, sizeof read->figures);
    uint64_t sizes[PROFILE_SIZES];
    profile_site_sizes(profile, read, sizes);
    assert_int_equal(sizes[0], 4);  // 8 bytes
    assert_int_equal(sizes[3], 10); // 100 bytes
    assert_memory_equal(sizes, profile->sizes, sizeof sizes);
    uint32_t threads[PROFILE_SITE_THREADS];
    assert_int_equal(profile_site_threads(profile, read, threads), 2);
    assert_int_equal(read->thread_count, 2);
    assert_int_equal(threads[0], self->thread);
    assert_int_equal(threads[1], other);
}

static void a_lone_row_knows_its_peak(void **state)
{
    struct fixture *self = *state;
    const uint32_t site = SAMPLE_SITE(&self->sample, self->load);
    (void)sample_row(&self->sample, site, self->thread, 10, 100, 10);
    const struct profile *profile = profile_of(self, NULL);
    assert_true(profile->sites[0].is_peak_exact);
    assert_int_equal(profile->sites[0].peak_bytes, 1000);
}

static void at_the_peak_was_live_what_has_not_changed_since(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t site = SAMPLE_SITE(sample, self->load);
    const uint32_t still = sample_row(sample, site, self->thread, 10, 100, 4);
    const uint32_t changed = sample_row(sample, site, RECORD_NONE, 50, 10, 50);
    sample_process(sample)->peak_count = 7;
    sample_row_at(sample, still)->peak_count = 6;
    sample_row_at(sample, still)->at_peak_bytes = 12345; // of an older peak
    sample_row_at(sample, changed)->peak_count = 7;
    sample_row_at(sample, changed)->at_peak_bytes = 300;
    sample_row_at(sample, changed)->at_peak_blocks = 30;
    const struct profile *profile = profile_of(self, NULL);
    assert_int_equal(profile->sites[0].figures.at_peak_bytes, 600 + 300);
    assert_int_equal(profile->sites[0].figures.at_peak_blocks, 6 + 30);
    assert_int_equal(profile->rows[0].figures.at_peak_bytes, 900);
}

static void a_row_is_the_first_function_that_is_no_wrapper(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t site =
        SAMPLE_SITE(sample, self->malloc_frame, self->load, self->read, self->main);
    (void)sample_row(sample, site, self->thread, 1, 10, 0);
    const struct profile *profile = profile_of(self, NULL);
    assert_int_equal(profile->rows_count, 1);
    const struct profile_row *row = row_named(profile, "load_rows");
    assert_non_null(row);
    assert_int_equal(profile->sites[0].owner, 1);
    assert_int_equal(profile->lines[row->line].line, 120);
}

static void what_is_tracked_is_called_by_its_name(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    // A function may be called as a row is: they are two, and the stack is a stack of either.
    const uint32_t odd = sample_frame(sample, RECORD_NONE, 0x5000, "[pool]", NULL, 0);
    sample_outer_line(sample, "outer", NULL, 0);
    sample_outer_line(sample, "outermost", NULL, 0);
    const uint32_t site = SAMPLE_SITE(sample, odd, self->load, self->main);
    const uint32_t plain = SAMPLE_SITE(sample, odd, self->main);
    struct record_site *sites = (void *)sample->tables[RECORD_TABLE_sites].rows;
    sites[site].name = sample_text(sample, "pool");
    (void)sample_row(sample, site, self->thread, 1, 10, 0);
    (void)sample_row(sample, plain, self->thread, 1, 20, 0);
    const struct profile *profile = profile_of(self, NULL);
    assert_int_equal(profile->rows_count, 2);
    assert_string_equal(profile->sites[site].name, "pool");
    assert_string_equal(profile->sites[plain].name, "");
    assert_int_not_equal(profile->sites[site].row, profile->sites[plain].row);
    for (size_t i = 0; i < profile->rows_count; i++) {
        const struct profile_row *row = &profile->rows[i];
        const struct profile_function *function = &profile->functions[row->function];
        assert_string_equal(function->name, "[pool]");
        assert_int_equal(row->figures.live_bytes, function->is_tracked ? 10 : 20);
        struct profile_walk walk = profile_walk_callers(profile, &profile->paths[row->first_path]);
        const uint32_t first = profile_walk_next(&walk);
        assert_string_equal(profile->lines[first].full, function->is_tracked ? "[pool]" : "outer");
        size_t count = 1;
        while (profile_walk_next(&walk) != PROFILE_NONE) count++;
        assert_int_equal(count, function->is_tracked ? 5 : 3);
    }
}

static void a_runtime_that_has_only_the_loader_behind_it_owns_its_row(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t runtime = sample_module(sample, "/usr/lib/libstdc++.so.6");
    const uint32_t loader = sample_module(sample, "/usr/lib/ld-linux-x86-64.so.2");
    const uint32_t pool = sample_frame(sample, runtime, 0x10, "__gnu_cxx::pool()", NULL, 0);
    const uint32_t first = sample_frame(sample, runtime, 0x20, "start_up", NULL, 0);
    const uint32_t call = sample_frame(sample, loader, 0x30, "call_init", NULL, 0);
    const uint32_t start = sample_frame(sample, loader, 0x40, "_dl_start_user", NULL, 0);
    const uint32_t site = SAMPLE_SITE(sample, self->malloc_frame, pool, first, call, start);
    const uint32_t own = SAMPLE_SITE(sample, self->malloc_frame, call, start);
    (void)sample_row(sample, site, self->thread, 1, 10, 0);
    (void)sample_row(sample, own, self->thread, 1, 10, 0);
    const struct profile *profile = profile_of(self, NULL);
    assert_non_null(row_named(profile, "start_up"));
    assert_non_null(row_named(profile, "_dl_start_user")); // there is nobody else
    assert_int_equal(profile->sites[0].owner, 2);
}

static void an_inlined_function_owns_its_row_and_may_be_skipped(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t site = SAMPLE_SITE(sample, self->pool_frame, self->parse, self->main);
    (void)sample_row(sample, site, self->thread, 1, 10, 0);
    assert_non_null(row_named(profile_of(self, NULL), "pool_take"));

    const char *skips[] = {"pool_*", "parse<>"};
    struct profile_options options = {.skips = skips, .skip_count = 1};
    const struct profile *profile = profile_of(self, &options);
    assert_non_null(row_named(profile, "parse<>"));
    assert_int_equal(profile->sites[0].owner, 1);
    options.skip_count = 2;
    profile = profile_of(self, &options);
    const struct profile_row *row = row_named(profile, "load_rows");
    assert_non_null(row);
    assert_int_equal(profile->sites[0].owner, 2);
    assert_int_equal(profile->lines[row->line].line, 130);
    skips[0] = "program"; // a module
    options.skip_count = 1;
    assert_non_null(row_named(profile_of(self, &options), "main")); // all are: the outermost
}

static void stacks_without_names_are_module_and_offset(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t nowhere = sample_frame(sample, RECORD_NONE, 0x7f0012, NULL, NULL, 0);
    const uint32_t plugin = SAMPLE_SITE(sample, self->nameless, self->main);
    const uint32_t jit = SAMPLE_SITE(sample, nowhere);
    (void)sample_row(sample, plugin, self->thread, 1, 10, 0);
    (void)sample_row(sample, jit, self->thread, 1, 10, 0);
    const struct profile *profile = profile_of(self, NULL);
    assert_non_null(row_named(profile, "plugin.so+0x1234"));
    assert_non_null(row_named(profile, "0x7f0012"));
    assert_int_equal(profile->modules[2].frames, 1);
    assert_int_equal(profile->modules[2].frames_nameless, 1);
    assert_int_equal(profile->modules[0].frames_nameless, 0);
}

static void a_library_that_is_loaded_again_has_the_same_rows(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t again = sample_module(sample, "/usr/lib/plugin.so");
    const uint32_t built_anew = sample_module(sample, "/usr/lib/plugin.so");
    struct record_module *modules =
        (struct record_module *)sample->tables[RECORD_TABLE_modules].rows;
    memcpy(modules[again].build_id, modules[2].build_id, sizeof modules[2].build_id);
    const uint32_t second = sample_frame(sample, again, 0x1234, NULL, NULL, 0);
    const uint32_t other = sample_frame(sample, built_anew, 0x1234, NULL, NULL, 0);
    const uint32_t frames[] = {self->nameless, second, other};
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t site = SAMPLE_SITE(sample, frames[i], self->main);
        (void)sample_row(sample, site, self->thread, 1, 10, 0);
    }
    const struct profile *profile = profile_of(self, NULL);
    assert_int_equal(profile->rows_count, 2);
    const struct profile_row *row = row_named(profile, "plugin.so+0x1234");
    assert_int_equal(row->figures.live_bytes, 20);
    assert_int_equal(row->path_count, 1);
    assert_int_equal(profile->modules[2].frames_nameless, 1);
    assert_int_equal(profile->modules[2].file_frames_nameless, 2);
    assert_int_equal(profile->modules[again].file_frames_nameless, 0);
    assert_int_equal(profile->modules[built_anew].file_frames_nameless, 1);
}

static void sites_without_a_stack_have_rows_too(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t site = sample_site(sample, 0, NULL);
    struct record_site *sites = (struct record_site *)sample->tables[RECORD_TABLE_sites].rows;
    sites[site].kind = RECORD_SITE_BEFORE;
    const uint32_t strange = sample_site(sample, 0, NULL);
    sites = (struct record_site *)sample->tables[RECORD_TABLE_sites].rows;
    sites[strange].kind = 99;
    (void)sample_row(sample, site, self->thread, 1, 10, 0);
    (void)sample_row(sample, strange, self->thread, 1, 20, 0);
    const struct profile *profile = profile_of(self, NULL);
    assert_non_null(row_named(profile, "(before the observation)"));
    assert_int_equal(row_named(profile, "(no stack)")->figures.live_bytes, 20);
}

static void a_row_sums_its_stacks_and_has_its_paths_beneath(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t sites[] = {
        SAMPLE_SITE(sample, self->malloc_frame, self->load, self->main),
        SAMPLE_SITE(sample, self->load, self->main), // the same functions
        SAMPLE_SITE(sample, self->load, self->read, self->main),
    };
    for (size_t i = 0; i < 3; i++) (void)sample_row(sample, sites[i], self->thread, i + 1, 10, 0);
    sample_process(sample)->peak_count = 1;
    const struct profile *profile = profile_of(self, NULL);
    assert_int_equal(profile->rows_count, 1);
    const struct profile_row *row = &profile->rows[0];
    assert_int_equal(row->figures.live_bytes, 60);
    assert_int_equal(row->site_count, 3);
    assert_int_equal(row->path_count, 2);
    uint32_t order[4];
    assert_int_equal(profile_rank_paths(profile, row, FIGURES_PEAK, order, 4), 2);
    const struct profile_path *path = &profile->paths[order[0]];
    assert_int_equal(path->figures.live_bytes, 30);
    assert_int_equal(path->site_count, 2);
    struct profile_walk walk = profile_walk_from(profile, path->node);
    assert_string_equal(profile->lines[profile_walk_next(&walk)].full, "load_rows(char const*)");
    assert_string_equal(profile->lines[profile_walk_next(&walk)].full, "main");
    assert_int_equal(profile_walk_next(&walk), PROFILE_NONE);
}

static void a_filter_hides_what_does_not_pass_through(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t a = SAMPLE_SITE(sample, self->load, self->read, self->main);
    const uint32_t b = SAMPLE_SITE(sample, self->pool_frame, self->main);
    (void)sample_row(sample, a, self->thread, 1, 10, 0);
    (void)sample_row(sample, b, self->thread, 1, 20, 0);
    sample_total(sample);
    struct profile_options options = {.filter = "read_f"};
    const struct profile *profile = profile_of(self, &options);
    assert_int_equal(profile->sites_hidden, 1);
    assert_false(profile->sites[0].is_hidden);
    assert_int_equal(profile->rows_count, 1);
    assert_int_equal(profile->totals.bytes_allocated, 30);
    options.filter = "pool.c";
    assert_non_null(row_named(profile_of(self, &options), "pool_take"));
    options.filter = "program";
    assert_int_equal(profile_of(self, &options)->sites_hidden, 0);
    options.filter = "nothing";
    assert_int_equal(profile_of(self, &options)->rows_count, 0);
}

static void lives_over_time_meet_in_one_interval(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    struct record_process *process = sample_process(sample);
    process->snapshot_interval_ms = 10;
    process->duration_ms = 85;
    const uint32_t site = SAMPLE_SITE(sample, self->load);
    const uint32_t fine = sample_row(sample, site, self->thread, 10, 10, 0);
    const uint32_t coarse = sample_row(sample, site, RECORD_NONE, 1, 1000, 0);
    struct record_row *row = sample_row_at(sample, fine);
    row->snapshots = 5; // 10 … 50 ms; later 100, as now
    for (size_t i = 0; i < 5; i++) row->live_over_time[i] = (float)(i + 1);
    row = sample_row_at(sample, coarse);
    row->interval_shift = 1;
    row->snapshots = 3; // 20, 40, 60 ms; later 1000
    for (size_t i = 0; i < 3; i++) row->live_over_time[i] = (float)(100 * (i + 1));
    const struct profile *profile = profile_of(self, NULL);
    assert_int_equal(profile->interval_ms, 20);
    assert_int_equal(profile->point_count, 4);
    int64_t points[PROFILE_POINTS_MAX];
    profile_over_time(profile, &profile->sites[0], points);
    const int64_t expected[] = {102, 204, 400, 1100};
    assert_memory_equal(points, expected, sizeof expected);
    assert_int_equal(profile->sites[0].peak_bytes, 1100);
}

static void totals_are_those_of_the_threads(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t site = SAMPLE_SITE(sample, self->load);
    (void)sample_row(sample, site, self->thread, 10, 10, 4);
    struct record_thread *thread =
        (struct record_thread *)sample->tables[RECORD_TABLE_threads].rows;
    thread->allocations = 11; // one was lost
    thread->last_ms = 77;
    const struct profile *profile = profile_of(self, NULL);
    assert_int_equal(profile->totals.allocations, 11);
    assert_int_equal(profile->totals.live_bytes, 60);
    assert_int_equal(profile->process.duration_ms, 77); // it has not ended
}

static void the_command_is_split_into_its_arguments(void **state)
{
    struct fixture *self = *state;
    sample_process(&self->sample)->command = sample_bytes_text(&self->sample, "a\0\0c d", 7);
    const struct profile *profile = profile_of(self, NULL);
    assert_int_equal(profile->process.command_count, 3);
    assert_string_equal(profile->process.command[1], "");
    assert_string_equal(profile->process.command[2], "c d");
    assert_null(profile->process.command[3]);
}

static void ranks_fall_and_equals_keep_their_order(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint64_t sizes[] = {3, 9, 0, 9, 1, 7, 9, 2};
    for (size_t i = 0; i < 8; i++) {
        const uint32_t site = SAMPLE_SITE(sample, self->load);
        (void)sample_row(sample, site, self->thread, 1, sizes[i], 0);
    }
    sample_process(sample)->peak_count = 1;
    const struct profile *profile = profile_of(self, NULL);
    uint32_t order[8];
    const uint32_t all[] = {1, 3, 6, 5, 0, 7, 4};
    assert_int_equal(profile_rank_sites(profile, FIGURES_LIVE, order, 8), 7);
    assert_memory_equal(order, all, sizeof all);
    for (size_t max = 0; max < 7; max++) {
        assert_int_equal(profile_rank_sites(profile, FIGURES_BYTES, order, max), max);
        assert_memory_equal(order, all, max * sizeof *all);
    }
}

// Clocks tick differently, and one that has not ended says from time to time how long it ran.
static void no_peak_is_later_than_the_end(void **state)
{
    struct fixture *self = *state;
    struct record_process *process = sample_process(&self->sample);
    process->peak_ms = 1004;
    process->duration_ms = 1000;
    process->state = RECORD_WAITED;
    assert_int_equal(profile_of(self, NULL)->process.peak_ms, 1000);
    assert_int_equal(self->profile->process.duration_ms, 1000);
    sample_process(&self->sample)->state = RECORD_RUNNING;
    assert_int_equal(profile_of(self, NULL)->process.peak_ms, 1004);
    assert_int_equal(self->profile->process.duration_ms, 1004);
}

// The clock goes on after a process has said how long it lived.
static void nothing_comes_after_the_end(void **state)
{
    struct fixture *self = *state;
    struct sample *sample = &self->sample;
    const uint32_t site = SAMPLE_SITE(sample, self->load, self->main);
    const uint32_t row = sample_row(sample, site, self->thread, 1, 10, 0);
    sample_row_at(sample, row)->first_ms = 8;
    sample_row_at(sample, row)->last_ms = 9;
    sample_process(sample)->state = RECORD_ENDED;
    sample_process(sample)->duration_ms = 6;
    const struct profile *profile = profile_of(self, NULL);
    assert_int_equal(profile->sites[0].first_ms, 6);
    assert_int_equal(profile->sites[0].last_ms, 6);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(nothing_comes_after_the_end),
        CASE(rows_of_several_threads_add_up),
        CASE(a_lone_row_knows_its_peak),
        CASE(no_peak_is_later_than_the_end),
        CASE(at_the_peak_was_live_what_has_not_changed_since),
        CASE(a_row_is_the_first_function_that_is_no_wrapper),
        CASE(what_is_tracked_is_called_by_its_name),
        CASE(a_runtime_that_has_only_the_loader_behind_it_owns_its_row),
        CASE(an_inlined_function_owns_its_row_and_may_be_skipped),
        CASE(stacks_without_names_are_module_and_offset),
        CASE(a_library_that_is_loaded_again_has_the_same_rows),
        CASE(sites_without_a_stack_have_rows_too),
        CASE(a_row_sums_its_stacks_and_has_its_paths_beneath),
        CASE(a_filter_hides_what_does_not_pass_through),
        CASE(lives_over_time_meet_in_one_interval),
        CASE(totals_are_those_of_the_threads),
        CASE(the_command_is_split_into_its_arguments),
        CASE(ranks_fall_and_equals_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
