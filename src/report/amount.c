#include "report/amount.h"

#include <stdio.h>
#include <string.h>

// Decimal digits with a comma before every third.
static void grouped(char text[static AMOUNT_SIZE], uint64_t value)
{
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *to = text;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
}

// Three significant digits of a value below 1000.
static void three_digits(char text[static AMOUNT_SIZE], double value, const char *unit)
{
    const int places = value < 0.9995 ? 3 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    (void)snprintf(text, AMOUNT_SIZE, "%.*f %s", places, value, unit);
}

static void scaled(char text[static AMOUNT_SIZE], double value, double step,
                   const char *const *units, size_t count)
{
    size_t unit = 0;
    value /= step;
    while (value >= 999.5 && unit + 1 < count) {
        value /= step;
        unit++;
    }
    three_digits(text, value, units[unit]);
}

void amount_bytes(char text[static AMOUNT_SIZE], int64_t bytes, bool is_exact)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    const uint64_t size = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
    char *to = text;
    if (bytes < 0) *to++ = '-';
    char number[AMOUNT_SIZE];
    if (is_exact) {
        grouped(number, size);
    } else if (size < 1024) {
        (void)snprintf(number, sizeof number, "%llu B", (unsigned long long)size);
    } else {
        scaled(number, (double)size, 1024, units, sizeof units / sizeof *units);
    }
    (void)snprintf(to, AMOUNT_SIZE - 1, "%.*s", AMOUNT_SIZE - 3, number);
}

static void short_count(char text[static AMOUNT_SIZE], double count)
{
    static const char *const units[] = {"k", "M", "G", "T", "P", "E"};
    scaled(text, count, 1000, units, sizeof units / sizeof *units);
}

void amount_count(char text[static AMOUNT_SIZE], uint64_t count, bool is_exact)
{
    if (is_exact || count < 10000000) {
        grouped(text, count);
    } else {
        short_count(text, (double)count);
    }
}

void amount_rate(char text[static AMOUNT_SIZE], uint64_t count, uint64_t time_ms)
{
    if (time_ms == 0) {
        (void)strcpy(text, "-");
        return;
    }
    const double rate = (double)count * 1000 / (double)time_ms;
    if (rate < 999.5) {
        (void)snprintf(text, AMOUNT_SIZE, "%.0f", rate);
    } else {
        short_count(text, rate);
    }
}

void amount_time(char text[static AMOUNT_SIZE], uint64_t time_ms, bool is_exact)
{
    const uint64_t seconds = time_ms / 1000;
    if (is_exact) {
        char number[AMOUNT_SIZE];
        grouped(number, time_ms);
        (void)snprintf(text, AMOUNT_SIZE, "%.*s ms", AMOUNT_SIZE - 4, number);
    } else if (time_ms < 1000) {
        (void)snprintf(text, AMOUNT_SIZE, "%llu ms", (unsigned long long)time_ms);
    } else if (seconds < 60) {
        three_digits(text, (double)time_ms / 1000, "s");
    } else if (seconds < 3600) {
        (void)snprintf(text, AMOUNT_SIZE, "%d min %d s", (int)(seconds / 60), (int)(seconds % 60));
    } else if (seconds < 86400) {
        (void)snprintf(text, AMOUNT_SIZE, "%d h %d min", (int)(seconds / 3600),
                       (int)(seconds / 60 % 60));
    } else {
        (void)snprintf(text, AMOUNT_SIZE, "%llu d %d h", (unsigned long long)(seconds / 86400),
                       (int)(seconds / 3600 % 24));
    }
}

void amount_share(char text[static AMOUNT_SIZE], int64_t part, int64_t whole)
{
    *text = '\0';
    if (whole <= 0) return;
    const double share = (double)part * 100 / (double)whole;
    if (part > 0 && share < 1) {
        (void)strcpy(text, "<1 %");
    } else if (share > 999) {
        (void)strcpy(text, ">999 %");
    } else if (share > -1000) {
        (void)snprintf(text, AMOUNT_SIZE, "%.0f %%", share);
    }
}

const char *amount_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}
