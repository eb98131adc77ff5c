#include "mete/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void the_library_tells_the_headers_version(void **state)
{
    (void)state;
    assert_string_equal(mete_version(), METE_VERSION);
}

static void the_numbers_spell_the_text(void **state)
{
    (void)state;
    char text[32];
    (void)snprintf(text, sizeof text, "%d.%d.%d", METE_VERSION_MAJOR, METE_VERSION_MINOR,
                   METE_VERSION_PATCH);
    assert_string_equal(text, METE_VERSION);
    assert_string_equal(text, PROJECT_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_tells_the_headers_version),
        cmocka_unit_test(the_numbers_spell_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
