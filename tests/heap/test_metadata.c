// Protects: pieces do not overlap, keep to their kind and size, are zero where that is promised,
// and threads may take and give them at once.
#include "heap/metadata.h"

#include "os/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static bool is_zero(const void *piece, size_t size)
{
    const char *bytes = piece;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i]) return false;
    }
    return true;
}

static void pieces_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 63, 64, 65, 192, 1000, 4096, METADATA_PIECE_MAX};
    unsigned char *pieces[800];
    for (size_t i = 0; i < 800; i++) {
        pieces[i] = metadata_take(METADATA_PLAIN, sizes[i % 8]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 64, 0);
        memset(pieces[i], (int)(i % 251), sizes[i % 8]);
    }
    for (size_t i = 0; i < 800; i++) {
        for (size_t j = 0; j < sizes[i % 8]; j++) assert_int_equal(pieces[i][j], i % 251);
        metadata_give(METADATA_PLAIN, pieces[i], sizes[i % 8]);
    }
}

static void a_piece_given_back_serves_the_next_of_its_kind_and_size_only(void **state)
{
    (void)state;
    for (int kind = 0; kind < METADATA_KIND_COUNT; kind++) {
        void *piece = metadata_take((enum metadata_kind)kind, 320);
        memset(piece, 0, 320);
        metadata_give((enum metadata_kind)kind, piece, 320);
        for (int other = 0; other < METADATA_KIND_COUNT; other++) {
            if (other == kind) continue;
            void *another = metadata_take((enum metadata_kind)other, 320);
            assert_ptr_not_equal(another, piece);
        }
        void *larger = metadata_take((enum metadata_kind)kind, 384);
        assert_ptr_not_equal(larger, piece);
        void *same = metadata_take((enum metadata_kind)kind, 257); // rounds up to the same
        assert_ptr_equal(same, piece);
    }
}

static void planes_are_zero_when_they_come_back_too(void **state)
{
    (void)state;
    void *pieces[64];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 64; i++) {
            pieces[i] = metadata_take(METADATA_PLANE, 1024);
            assert_true(is_zero(pieces[i], 1024));
        }
        for (size_t i = 0; i < 64; i++) metadata_give(METADATA_PLANE, pieces[i], 1024);
    }
}

static void a_mapping_is_zero_and_counted(void **state)
{
    (void)state;
    size_t before = metadata_bytes();
    char *memory = metadata_map(5 * PAGE_SIZE);
    assert_non_null(memory);
    assert_true(is_zero(memory, 5 * PAGE_SIZE));
    assert_int_equal(metadata_bytes(), before + 5 * PAGE_SIZE);
}

static void what_cannot_be_mapped_is_null_and_not_counted(void **state)
{
    (void)state;
    size_t before = metadata_bytes();
    assert_null(metadata_map((size_t)1 << 62));
    assert_int_equal(metadata_bytes(), before);
}

enum { THREADS = 4, ROUNDS = 2000, HELD = 16 };

static void *take_and_give(void *tag)
{
    uintptr_t *pieces[HELD] = {NULL};
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t slot = i % HELD;
        if (pieces[slot]) {
            for (size_t j = 0; j < 8; j++) {
                if (pieces[slot][j] != (uintptr_t)tag) return tag; // somebody else has it too
            }
            metadata_give(METADATA_PLAIN, pieces[slot], 64);
        }
        pieces[slot] = metadata_take(METADATA_PLAIN, 64);
        for (size_t j = 0; j < 8; j++) pieces[slot][j] = (uintptr_t)tag;
    }
    for (size_t i = 0; i < HELD; i++) metadata_give(METADATA_PLAIN, pieces[i], 64);
    return NULL;
}

static void no_piece_is_handed_to_two_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_do_not_overlap),
        cmocka_unit_test(a_piece_given_back_serves_the_next_of_its_kind_and_size_only),
        cmocka_unit_test(planes_are_zero_when_they_come_back_too),
        cmocka_unit_test(a_mapping_is_zero_and_counted),
        cmocka_unit_test(what_cannot_be_mapped_is_null_and_not_counted),
        cmocka_unit_test(no_piece_is_handed_to_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
