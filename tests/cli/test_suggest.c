#include "cli/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char *nearest(const char *asked)
{
    const char *words[] = {"env", "help", "version", "dirty-keep", "stats"};
    struct suggest suggest = suggest_for(asked);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) suggest_offer(&suggest, words[i]);
    return suggest.best;
}

static void distance_counts_slips_and_swapped_neighbours_as_one(void **state)
{
    (void)state;
    assert_int_equal(suggest_distance("", ""), 0);
    assert_int_equal(suggest_distance("", "abc"), 3);
    assert_int_equal(suggest_distance("help", "help"), 0);
    assert_int_equal(suggest_distance("help", "hepl"), 1);
    assert_int_equal(suggest_distance("help", "halp"), 1);
    assert_int_equal(suggest_distance("help", "hlp"), 1);
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
}

static void the_nearest_word_is_offered(void **state)
{
    (void)state;
    assert_string_equal(nearest("vresion"), "version");
    assert_string_equal(nearest("en"), "env");
    assert_string_equal(nearest("hlep"), "help");
    assert_string_equal(nearest("dirtykeep"), "dirty-keep");
}

static void a_beginning_is_near(void **state)
{
    (void)state;
    assert_string_equal(nearest("ver"), "version");
    assert_string_equal(nearest("dirty"), "dirty-keep");
}

static void what_is_far_is_not_offered(void **state)
{
    (void)state;
    assert_null(nearest("zzz"));
    assert_null(nearest("xyz-unlike"));
    assert_null(nearest(""));
}

static void a_word_of_any_length_is_only_far(void **state)
{
    (void)state;
    char word[4096];
    for (size_t i = 0; i < sizeof word; i++) word[i] = 'e';
    word[sizeof word - 1] = '\0';
    assert_int_equal(suggest_distance(word, "env"), SIZE_MAX);
    assert_null(nearest(word));
    word[31] = '\0';
    assert_int_equal(suggest_distance(word, word), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_slips_and_swapped_neighbours_as_one),
        cmocka_unit_test(the_nearest_word_is_offered),
        cmocka_unit_test(a_beginning_is_near),
        cmocka_unit_test(what_is_far_is_not_offered),
        cmocka_unit_test(a_word_of_any_length_is_only_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
