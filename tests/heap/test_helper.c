// Protects: memory goes back from a process that no longer calls us, by a thread that comes, works
// and ends. Not built with sanitizers: the helper has no thread-local storage, which their code
// needs.
#include "heap_test.h"

#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %zu", &pages), 1);
    fclose(file);
    return pages * PAGE_SIZE;
}

static size_t thread_count(void)
{
    FILE *file = fopen("/proc/self/stat", "r");
    size_t count = 0;
    assert_non_null(file);
    assert_int_equal(fscanf(file,
                            "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d "
                            "%*d %*d %*d %*d %*d %zu",
                            &count),
                     1);
    fclose(file);
    return count;
}

static void use_helper(bool is_used)
{
    heap_configure(&(struct heap_settings){
        .direct_size_min = 32 * MIB,
        .dirty_bytes_keep = 4 * MIB,
        .purge_delay_ms = 20,
        .use_helper = is_used,
    });
}

static bool shrinks_below(size_t bytes)
{
    for (int i = 0; i < 300; i++) { // three seconds, without a call of the heap
        if (resident_bytes() < bytes) return true;
        clock_sleep_ms(10);
    }
    return false;
}

static bool thread_ends(void)
{
    for (int i = 0; i < 1000; i++) {
        if (thread_count() == 1) return true;
        clock_sleep_ms(10);
    }
    return false;
}

enum { BLOCKS = 200000 };
static char *blocks[BLOCKS];

static void allocate_all(size_t size)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = heap_alloc(size);
        memset(blocks[i], 1, size);
    }
}

static void free_all_but_each(size_t step)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % step) heap_free(blocks[i]);
    }
}

// No helper may be at it while the heap is walked, and what was freed last may have called one.
static void check_at_rest(void)
{
    heap_pause_helper();
    (void)heap_check();
    heap_resume_helper();
}

// Holes between the survivors, too small for any run.
static void an_idle_process_gets_smaller_by_itself(void **state)
{
    (void)state;
    use_helper(true);
    size_t before = resident_bytes();
    allocate_all(1000);
    size_t full = resident_bytes();
    assert_true(full > before + 190 * MIB);
    free_all_but_each(100);
    assert_true(shrinks_below(before + 40 * MIB));
    assert_true(thread_ends());
    for (size_t i = 0; i < BLOCKS; i += 100) {
        assert_int_equal(blocks[i][0] + blocks[i][999], 2); // what lives is untouched
        heap_free(blocks[i]);
    }
    check_at_rest();
}

// A helper is at work when more is freed, and has ended when it could be returned.
static void what_is_freed_as_a_helper_ends_goes_back_too(void **state)
{
    (void)state;
    use_helper(true);
    allocate_all(1000);
    size_t full = resident_bytes();
    for (size_t part = 0; part < 40; part++) { // for most of a second
        for (size_t i = part; i < BLOCKS; i += 40) {
            if (i % 100) heap_free(blocks[i]);
        }
        clock_sleep_ms(20);
    }
    assert_true(shrinks_below(full / 2));
    for (size_t i = 0; i < BLOCKS; i += 100) heap_free(blocks[i]);
    assert_true(thread_ends());
    check_at_rest();
}

static void without_leave_no_helper_comes(void **state)
{
    (void)state;
    use_helper(false);
    allocate_all(1000);
    free_all_but_each(100);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(thread_count(), 1);
        clock_sleep_ms(10);
    }
    for (size_t i = 0; i < BLOCKS; i += 100) heap_free(blocks[i]);
}

static void a_forked_child_has_helpers_of_its_own(void **state)
{
    (void)state;
    use_helper(true);
    allocate_all(1000);
    free_all_but_each(100); // ours may be at work as we fork
    heap_fork_prepare();
    pid_t child = fork();
    if (child == 0) {
        heap_fork_child();
        for (size_t i = 0; i < BLOCKS; i++) {
            if (i % 100) memset(blocks[i] = heap_alloc(1000), 2, 1000);
        }
        size_t full = resident_bytes();
        free_all_but_each(100);
        _exit(shrinks_below(full / 2) && thread_ends() ? 0 : 1);
    }
    heap_fork_parent();
    assert_true(child > 0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (size_t i = 0; i < BLOCKS; i += 100) heap_free(blocks[i]);
    assert_true(thread_ends());
    check_at_rest();
}

static void what_reallocation_cuts_off_goes_back_too(void **state)
{
    (void)state;
    use_helper(true);
    size_t before = resident_bytes();
    char *large[20];
    for (size_t i = 0; i < 20; i++) {
        large[i] = heap_alloc(10 * MIB);
        memset(large[i], 1, 10 * MIB);
    }
    for (size_t i = 0; i < 20; i++) large[i] = heap_realloc(large[i], 64 * KIB);
    assert_true(shrinks_below(before + 60 * MIB));
    for (size_t i = 0; i < 20; i++) heap_free(large[i]);
    assert_true(thread_ends());
}

static void *free_all(void *allocates)
{
    if (allocates) heap_free(heap_alloc(1));
    for (size_t i = 0; i < BLOCKS; i++) {
        if (blocks[i]) heap_free(blocks[i]);
    }
    memset(blocks, 0, sizeof blocks);
    return NULL;
}

// By a thread that never had a heap, and by one that has.
static void what_other_threads_free_goes_back_too(void **state)
{
    (void)state;
    use_helper(true);
    size_t before = resident_bytes();
    allocate_all(1000);
    (void)run_in_thread(free_all, NULL);
    assert_true(shrinks_below(before + 60 * MIB));
    for (size_t i = 0; i < 6000; i++) memset(blocks[i] = heap_alloc(32 * KIB), 1, 32 * KIB);
    (void)run_in_thread(free_all, "with a heap");
    assert_true(shrinks_below(before + 60 * MIB));
    assert_true(thread_ends());
}

// Freed at every moment of its life, also in its last round.
static void a_helper_does_not_leave_while_much_is_due(void **state)
{
    (void)state;
    use_helper(true);
    size_t before = resident_bytes();
    for (unsigned moment_ms = 0; moment_ms < 200; moment_ms += 5) {
        char *large[20];
        for (size_t i = 0; i < 20; i++) memset(large[i] = heap_alloc(5 * MIB), 1, 5 * MIB);
        for (size_t i = 0; i < 10; i++) heap_free(large[i]);
        for (unsigned ms = 0; ms < moment_ms; ms += 5) {
            void *busy = memset(heap_alloc(5 * MIB), 1, 5 * MIB);
            clock_sleep_ms(5);
            heap_free(busy);
        }
        for (size_t i = 10; i < 20; i++) heap_free(large[i]);
        assert_true(shrinks_below(before + 40 * MIB));
    }
    assert_true(thread_ends());
}

static void a_pause_ends_the_helper_and_lets_none_come(void **state)
{
    (void)state;
    use_helper(true);
    size_t before = resident_bytes();
    allocate_all(1000);
    free_all_but_each(100);
    heap_pause_helper();
    assert_int_equal(thread_count(), 1);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 100) blocks[i] = heap_alloc(1000);
    }
    free_all_but_each(100);
    assert_int_equal(thread_count(), 1);
    heap_resume_helper();
    assert_true(shrinks_below(before + 40 * MIB));
    for (size_t i = 0; i < BLOCKS; i += 100) heap_free(blocks[i]);
    assert_true(thread_ends());
}

static void a_lone_fork_finds_one_thread_and_the_work_done(void **state)
{
    (void)state;
    use_helper(true);
    size_t before = resident_bytes();
    allocate_all(1000);
    free_all_but_each(100);
    heap_fork_prepare();
    assert_int_equal(thread_count(), 1);
    assert_true(resident_bytes() < before + 40 * MIB);
    heap_fork_parent();
    for (size_t i = 0; i < BLOCKS; i += 100) heap_free(blocks[i]);
    assert_true(thread_ends());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lone_fork_finds_one_thread_and_the_work_done),
        cmocka_unit_test(an_idle_process_gets_smaller_by_itself),
        cmocka_unit_test(what_is_freed_as_a_helper_ends_goes_back_too),
        cmocka_unit_test(without_leave_no_helper_comes),
        cmocka_unit_test(a_forked_child_has_helpers_of_its_own),
        cmocka_unit_test(what_reallocation_cuts_off_goes_back_too),
        cmocka_unit_test(what_other_threads_free_goes_back_too),
        cmocka_unit_test(a_helper_does_not_leave_while_much_is_due),
        cmocka_unit_test(a_pause_ends_the_helper_and_lets_none_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
