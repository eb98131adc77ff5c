// Protects: the lines of panics are right to the letter and never leave their buffer.
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void words_and_numbers_are_joined(void **state)
{
    (void)state;
    char buffer[64];
    struct text line = text_in(buffer, sizeof buffer);
    assert_string_equal(buffer, "");
    text_add(&line, "a ");
    text_add(&line, "");
    text_add_decimal(&line, 42);
    text_add(&line, " ");
    text_add_hex(&line, 0xbeef);
    assert_string_equal(buffer, "a 42 0xbeef");
    assert_int_equal(line.length, strlen(buffer));
}

static void numbers_are_written_as_printf_writes_them(void **state)
{
    (void)state;
    const uint64_t numbers[] = {0, 1, 9, 10, 15, 16, 255, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char buffer[64];
        char expected[64];
        struct text line = text_in(buffer, sizeof buffer);
        text_add_decimal(&line, numbers[i]);
        text_add(&line, " ");
        text_add_hex(&line, numbers[i]);
        (void)snprintf(expected, sizeof expected, "%lu 0x%lx", numbers[i], numbers[i]);
        assert_string_equal(buffer, expected);
    }
}

static void what_does_not_fit_is_cut_off_at_every_capacity(void **state)
{
    (void)state;
    const char *whole = "double free of a block of 18446744073709551615 bytes";
    for (size_t capacity = 1; capacity <= strlen(whole) + 2; capacity++) {
        char buffer[80];
        memset(buffer, '#', sizeof buffer);
        struct text line = text_in(buffer, capacity);
        text_add(&line, "double free of a block of ");
        text_add_decimal(&line, UINT64_MAX);
        text_add(&line, " bytes");
        size_t len = capacity - 1 < strlen(whole) ? capacity - 1 : strlen(whole);
        assert_int_equal(line.length, len);
        assert_memory_equal(buffer, whole, len);
        assert_int_equal(buffer[len], '\0');
        for (size_t i = capacity; i < sizeof buffer; i++) assert_int_equal(buffer[i], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_numbers_are_joined),
        cmocka_unit_test(numbers_are_written_as_printf_writes_them),
        cmocka_unit_test(what_does_not_fit_is_cut_off_at_every_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
