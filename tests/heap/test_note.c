// Protects: site and slack come back as they were written, for every class, index and size of
// slack, and notes of one block do not touch another's.
#include "heap_test.h"

#include "heap/metadata.h"
#include "heap/note.h"

#include <string.h>

static struct span *make_small(unsigned class)
{
    size_t page_count = size_class_span_pages(class, 100);
    struct span *span = span_create(MIB, page_count << PAGE_SHIFT, false);
    span_init_small(span, class, metadata_take(METADATA_PLANE, page_count * CELLS_PER_PAGE * 16));
    span_set_state(span, SPAN_PARTIAL);
    return span;
}

static struct span *make_large(enum span_state state, size_t size)
{
    struct span *span = span_create(MIB, size, false);
    span_set_state(span, state);
    return span;
}

static void drop(struct span *span)
{
    size_t size;
    _Atomic uint32_t *notes = notes_detach(span, &size);
    assert_null(span->notes);
    notes_drop(notes, size);
    span_destroy(span);
}

static void expect_note(const struct span *span, uint32_t index, uint32_t site, uint32_t slack)
{
    struct note note = note_read(span, index);
    assert_int_equal(note.site, site);
    assert_int_equal(note.slack, slack);
}

static void a_note_packs_twenty_bits_of_site_and_twelve_of_slack(void **state)
{
    (void)state;
    assert_int_equal(NOTE_SITE_COUNT, 1 << 20);
    assert_int_equal(note_pack(0, 0), 0);
    assert_int_equal(note_pack(1, 0), 0x1000);
    assert_int_equal(note_pack(NOTE_SITE_COUNT - 1, 4094), 0xfffffffe);
    assert_int_equal(note_pack(5, 4095), 0x5fff);
    assert_int_equal(note_pack(5, UINT32_MAX), 0x5fff);
}

static void a_span_without_notes_reads_as_zero(void **state)
{
    (void)state;
    struct span *span = make_small(1);
    expect_note(span, 0, 0, 0);
    note_write(span, 3, 0, 0); // nothing worth a table
    assert_null(span->notes);
    size_t size;
    assert_null(notes_detach(span, &size));
    notes_drop(NULL, size);
    notes_forget(span);
    expect_note(span, span->capacity - 1, 0, 0);
    drop(span);
}

static uint32_t slack_for(const struct span *span, uint32_t index)
{
    return index * 37 % span->block_size;
}

static void every_block_of_every_class_keeps_its_own(void **state)
{
    (void)state;
    for (unsigned class = 1; class < CLASS_COUNT; class ++) {
        struct span *span = make_small(class);
        for (uint32_t i = 0; i < span->capacity; i++) {
            note_write(span, i, NOTE_SITE_COUNT - 1 - i, slack_for(span, i));
        }
        for (uint32_t i = 0; i < span->capacity; i++) {
            expect_note(span, i, NOTE_SITE_COUNT - 1 - i, slack_for(span, i));
        }
        notes_forget(span);
        for (uint32_t i = 0; i < span->capacity; i++) expect_note(span, i, 0, 0);
        drop(span);
    }
}

static void every_slack_a_block_can_have_comes_back(void **state)
{
    (void)state;
    // Around the escape value, and all of a block.
    const size_t sizes[] = {16, 4080, 4096, 4352, 8192, SMALL_SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct span *span = make_small(size_class_of(sizes[i]));
        uint32_t last = span->capacity - 1;
        for (uint32_t slack = 0; slack < span->block_size; slack++) {
            note_write(span, last, 7, slack);
            expect_note(span, last, 7, slack);
        }
        if (last) expect_note(span, 0, 0, 0);
        drop(span);
    }
}

static void blocks_of_whole_pages_may_have_any_slack(void **state)
{
    (void)state;
    const enum span_state states[] = {SPAN_LARGE, SPAN_DIRECT};
    const size_t slacks[] = {0,
                             1,
                             4094,
                             4095,
                             4096,
                             1u << 20,
                             UINT32_MAX - 1,
                             UINT32_MAX,
                             (size_t)1 << 32,
                             (size_t)1 << 40};
    for (size_t i = 0; i < 2; i++) {
        struct span *span = make_large(states[i], (size_t)1 << 41);
        for (size_t j = 0; j < sizeof slacks / sizeof slacks[0]; j++) {
            note_write(span, 0, 99, slacks[j]);
            // 2^32 and more does not fit and says the most that does.
            size_t kept = slacks[j] < UINT32_MAX ? slacks[j] : UINT32_MAX;
            expect_note(span, 0, 99, (uint32_t)kept);
        }
        drop(span);
    }
}

static void a_note_written_over_another_replaces_it_whole(void **state)
{
    (void)state;
    struct span *span = make_small(size_class_of(8192));
    note_write(span, 1, 1000, 8000);
    note_write(span, 1, 3, 5);
    expect_note(span, 1, 3, 5);
    note_write(span, 1, 0, 0);
    expect_note(span, 1, 0, 0);
    drop(span);
}

static void dropped_notes_do_not_come_back_with_the_next_span(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        struct span *span = make_small(3);
        for (uint32_t i = 0; i < span->capacity; i++) expect_note(span, i, 0, 0);
        note_write(span, 0, 1, 1); // makes the table
        for (uint32_t i = 1; i < span->capacity; i++) {
            expect_note(span, i, 0, 0);
            note_write(span, i, 5, 6);
        }
        drop(span);
    }
}

enum { WRITERS = 4 };

struct writer {
    struct span *span;
    uint32_t first;
};

static void *write_every_fourth(void *argument)
{
    struct writer *self = argument;
    for (uint32_t i = self->first; i < self->span->capacity; i += WRITERS) {
        note_write(self->span, i, i + 1, i % 16);
    }
    return NULL;
}

static void threads_that_write_the_first_notes_at_once_lose_none(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct span *span = make_small(1);
        pthread_t threads[WRITERS];
        struct writer writers[WRITERS];
        for (uint32_t i = 0; i < WRITERS; i++) {
            writers[i] = (struct writer){span, i};
            pthread_create(&threads[i], NULL, write_every_fourth, &writers[i]);
        }
        for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
        for (uint32_t i = 0; i < span->capacity; i++) expect_note(span, i, i + 1, i % 16);
        drop(span);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_packs_twenty_bits_of_site_and_twelve_of_slack),
        cmocka_unit_test(a_span_without_notes_reads_as_zero),
        cmocka_unit_test(every_block_of_every_class_keeps_its_own),
        cmocka_unit_test(every_slack_a_block_can_have_comes_back),
        cmocka_unit_test(blocks_of_whole_pages_may_have_any_slack),
        cmocka_unit_test(a_note_written_over_another_replaces_it_whole),
        cmocka_unit_test(dropped_notes_do_not_come_back_with_the_next_span),
        cmocka_unit_test(threads_that_write_the_first_notes_at_once_lose_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
