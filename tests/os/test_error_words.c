// Protects: who cannot record is told why in the words that he knows from everywhere else.
#include "os/error_words.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void words_are_those_of_libc(void **state)
{
    (void)state;
    int known = 0;
    for (int error = 1; error < 200; error++) {
        const char *words = error_words(error);
        if (strcmp(words, "error") == 0) continue;
        assert_string_equal(words, strerror(error));
        known++;
    }
    assert_true(known > 10);
}

static void what_is_not_known_is_an_error(void **state)
{
    (void)state;
    assert_string_equal(error_words(0), "error");
    assert_string_equal(error_words(-1), "error");
    assert_string_equal(error_words(EXFULL), "error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_those_of_libc),
        cmocka_unit_test(what_is_not_known_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
