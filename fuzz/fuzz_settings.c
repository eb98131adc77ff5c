// Any text in METE: nothing is read past its end, every value stays within its row's limits, texts
// survive their encoding, and every complaint is one printable line.
#include "base/settings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) abort();
}

static void report(void *context, const struct settings_problem *problem)
{
    const char *text = context;
    require(problem->text >= text && problem->text + problem->len <= text + strlen(text));
    require(!problem->row || settings_find(problem->row->key, strlen(problem->row->key)));
    char line[SETTINGS_PROBLEM_SIZE];
    const size_t len = settings_problem_text(problem, line);
    require(len < sizeof line && line[len] == '\0' && line[len - 1] == '\n');
    for (size_t i = 0; i + 1 < len; i++) require(line[i] >= ' ' && line[i] <= '~');
}

// A text that was read can be written, in printable bytes, and reads as the same again.
static void check_encoding(const char *text, const struct setting *row)
{
    char encoded[SETTINGS_ENCODED_SIZE];
    require(settings_encode(text, encoded));
    for (const char *at = encoded; *at; at++) require(*at > ' ' && *at <= '~' && *at != ',');
    struct settings settings;
    settings_init(&settings);
    const char *reason = NULL;
    require(settings_set(&settings, row, encoded, strlen(encoded), &reason));
    require(strcmp(settings_text(&settings, row), text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = '\0';

    struct settings settings;
    settings_init(&settings);
    settings_parse(&settings, text, report, text);
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        const size_t value = settings_value(&settings, row);
        require(row->min <= value && value <= row->max);
        if (row->kind == SETTING_TEXT) check_encoding(settings_text(&settings, row), row);
    }

    // Reading the same text again changes nothing.
    struct settings again = settings;
    settings_parse(&again, text, NULL, NULL);
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const struct setting *row = &settings_table[i];
        require(settings_value(&again, row) == settings_value(&settings, row));
    }
    require(strcmp(again.recording, settings.recording) == 0);
    free(text);
    return 0;
}
