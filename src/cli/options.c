#include "cli/options.h"

#include "cli/output.h"
#include "cli/suggest.h"

#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 64 }; // of one command; more would not fit on a screen

static bool is_taken(struct option_table table, const struct setting *setting)
{
    for (const char *const *key = table.without; key && *key; key++) {
        if (strcmp(*key, setting->key) == 0) return false;
    }
    return table.takes_settings;
}

size_t option_count(struct option_table table)
{
    size_t count = table.count;
    for (size_t i = 0; i < SETTINGS_COUNT; i++) count += is_taken(table, &settings_table[i]);
    return count;
}

static struct option option_of(const struct setting *setting)
{
    static const char *const values[] = {
        [SETTING_BOOL] = NULL,
        [SETTING_SIZE] = "SIZE",
        [SETTING_MILLISECONDS] = "MILLISECONDS",
        [SETTING_NUMBER] = "NUMBER",
        [SETTING_TEXT] = "TEXT",
    };
    return (struct option){
        .name = setting->key,
        .kind = setting->kind == SETTING_BOOL ? OPTION_FLAG : OPTION_VALUE,
        .value = values[setting->kind],
        .help = setting->help,
        .setting = setting,
    };
}

struct option option_at(struct option_table table, size_t index)
{
    if (index < table.count) return table.rows[index];
    size_t left = index - table.count;
    const struct setting *setting = settings_table;
    while (!is_taken(table, setting) || left-- > 0) setting++;
    return option_of(setting);
}

// A default as a person would write it.
static void value_text(const struct setting *row, char *text, size_t size)
{
    size_t value = row->value_default;
    if (row->kind == SETTING_BOOL) {
        (void)snprintf(text, size, "%s", value ? "yes" : "no");
        return;
    }
    if (row->kind == SETTING_TEXT) {
        (void)snprintf(text, size, "none");
        return;
    }
    const char *unit = "";
    const char *units[] = {"K", "M", "G"};
    for (size_t i = 0; row->kind == SETTING_SIZE && i < 3 && value && value % 1024 == 0; i++) {
        value /= 1024;
        unit = units[i];
    }
    (void)snprintf(text, size, "%zu%s", value, unit);
}

static void dash(char *text)
{
    for (; *text && *text != '='; text++) {
        if (*text == '_') *text = '-';
    }
}

struct option_text option_text(const struct option *option)
{
    struct option_text text;
    const bool is_flag = option->kind == OPTION_FLAG;
    const char letter[] = {'-', option->letter, ',', ' ', '\0'};
    (void)snprintf(text.call, sizeof text.call, "%s--%s%s%s%s", option->letter ? letter : "",
                   is_flag ? "[no-]" : "", option->name, is_flag ? "" : "=",
                   is_flag ? "" : option->value);
    dash(text.call);
    char fallback[32];
    if (option->setting) value_text(option->setting, fallback, sizeof fallback);
    (void)snprintf(text.help, sizeof text.help, "%s%s%s%s", option->help,
                   option->setting ? " (default " : "", option->setting ? fallback : "",
                   option->setting ? ")" : "");
    return text;
}

static bool name_is(const char *name, const char *text, size_t len)
{
    if (strlen(name) != len) return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != (name[i] == '_' ? '-' : name[i])) return false;
    }
    return true;
}

static bool option_find(struct option_table table, const char *text, size_t len,
                        struct option *option_out, bool *is_negated_out)
{
    for (size_t i = 0; i < option_count(table); i++) {
        *option_out = option_at(table, i);
        *is_negated_out = false;
        if (name_is(option_out->name, text, len)) return true;
        if (option_out->kind == OPTION_FLAG && len > 3 && memcmp(text, "no-", 3) == 0 &&
            name_is(option_out->name, text + 3, len - 3)) {
            *is_negated_out = true;
            return true;
        }
    }
    return false;
}

static int unknown_option(const char *command, struct option_table table, const char *word,
                          size_t len)
{
    char name[48];
    (void)snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name), word);
    const bool is_negated = strncmp(name, "no-", 3) == 0;
    struct suggest suggest = suggest_for(is_negated ? name + 3 : name);
    struct option_text texts[OPTIONS_MAX];
    for (size_t i = 0; i < option_count(table) && i < OPTIONS_MAX; i++) {
        const struct option option = option_at(table, i);
        if (is_negated && option.kind != OPTION_FLAG) continue;
        (void)snprintf(texts[i].call, sizeof texts[i].call, "%s", option.name);
        dash(texts[i].call);
        suggest_offer(&suggest, texts[i].call);
    }
    if (suggest.best) {
        say("%s: unknown option '--%s'; did you mean '--%s%s'?", command, name,
            is_negated ? "no-" : "", suggest.best);
    } else {
        say("%s: unknown option '--%s'; see 'mete help %s'", command, name, command);
    }
    return STATUS_USAGE;
}

// What an option was given: by which name it was called, and the value that stands in its word.
struct option_given {
    struct option option;
    bool is_negated;
    const char *name;  // as it was written, with its dashes; not terminated
    int len;           // of the name
    const char *value; // NULL when the next word is it
};

static int option_take_value(const char *command, const struct option_given *given,
                             const char *next, option_take take, void *context, size_t *read_out)
{
    const struct option *option = &given->option;
    *read_out = 1;
    if (option->kind == OPTION_VALUE) {
        const char *value = given->value ? given->value : next;
        if (value != given->value) *read_out = 2;
        if (value) return take(context, option, value);
        say("%s: '%.*s' wants a value: %s", command, given->len, given->name,
            option_text(option).call);
        return STATUS_USAGE;
    }
    bool truth = true;
    if (given->value && given->is_negated) {
        say("%s: '%.*s' takes no value", command, given->len, given->name);
        return STATUS_USAGE;
    }
    if (given->value && !settings_read_bool(given->value, strlen(given->value), &truth)) {
        say("%s: '%.*s=%s': it wants yes or no", command, given->len, given->name, given->value);
        return STATUS_USAGE;
    }
    return take(context, option, truth != given->is_negated ? "yes" : "no");
}

// One option that begins at words[0]; the number of words it took is in *read_out.
static int option_read(const char *command, struct option_table table, char **words,
                       option_take take, void *context, size_t *read_out)
{
    const char *word = words[0];
    const size_t len = strcspn(word, "=");
    struct option_given given = {.name = word, .len = (int)len};
    if (word[len] == '=') given.value = word + len + 1;
    if (!option_find(table, word + 2, len - 2, &given.option, &given.is_negated)) {
        return unknown_option(command, table, word + 2, len - 2);
    }
    return option_take_value(command, &given, words[1], take, context, read_out);
}

// The same where a single dash stands before a letter.
static int letter_read(const char *command, struct option_table table, char **words,
                       option_take take, void *context, size_t *read_out)
{
    const char *word = words[0];
    struct option_given given = {.name = word, .len = 2, .value = word[2] ? word + 2 : NULL};
    for (size_t i = 0; i < table.count; i++) {
        given.option = table.rows[i];
        if (given.option.letter != word[1]) continue;
        if (given.option.kind == OPTION_FLAG && given.value) break;
        return option_take_value(command, &given, words[1], take, context, read_out);
    }
    say("%s: unknown option '%s'; options are whole words: see 'mete help %s'", command, word,
        command);
    return STATUS_USAGE;
}

int options_read(const char *command, struct option_table table, char **words, option_take take,
                 void *context, size_t *read_out)
{
    size_t read = 0;
    while (words[read] && words[read][0] == '-' && words[read][1] != '\0') {
        const char *word = words[read];
        if (strcmp(word, "--") == 0) {
            read++;
            break;
        }
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return OPTIONS_HELP_WANTED;
        size_t taken = 0;
        int status = word[1] == '-'
                         ? option_read(command, table, words + read, take, context, &taken)
                         : letter_read(command, table, words + read, take, context, &taken);
        if (status) return status;
        read += taken;
    }
    *read_out = read;
    return 0;
}
