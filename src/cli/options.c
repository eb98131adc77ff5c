#include "cli/options.h"

#include "cli/output.h"
#include "cli/suggest.h"

#include <stdio.h>
#include <string.h>

enum { OPTIONS_MAX = 64 }; // of one command; more would not fit on a screen

size_t option_count(struct option_table table)
{
    return table.count + (table.takes_settings ? SETTINGS_COUNT : 0);
}

struct option option_at(struct option_table table, size_t index)
{
    if (index < table.count) return table.rows[index];
    static const char *const values[] = {
        [SETTING_BOOL] = NULL,
        [SETTING_SIZE] = "SIZE",
        [SETTING_MILLISECONDS] = "MILLISECONDS",
        [SETTING_NUMBER] = "NUMBER",
    };
    const struct setting *setting = &settings_table[index - table.count];
    return (struct option){
        .name = setting->key,
        .kind = setting->kind == SETTING_BOOL ? OPTION_FLAG : OPTION_VALUE,
        .value = values[setting->kind],
        .help = setting->help,
        .setting = setting,
    };
}

// A default as a person would write it.
static void value_text(const struct setting *row, char *text, size_t size)
{
    size_t value = row->value_default;
    if (row->kind == SETTING_BOOL) {
        (void)snprintf(text, size, "%s", value ? "yes" : "no");
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
    (void)snprintf(text.call, sizeof text.call, "--%s%s%s%s", is_flag ? "[no-]" : "", option->name,
                   is_flag ? "" : "=", is_flag ? "" : option->value);
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

// One option that begins at words[0]; the number of words it took is in *read_out.
static int option_read(const char *command, struct option_table table, char **words,
                       option_take take, void *context, size_t *read_out)
{
    const char *name = words[0] + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    bool is_negated = false;
    struct option option;
    if (!option_find(table, name, len, &option, &is_negated)) {
        return unknown_option(command, table, name, len);
    }

    *read_out = 1;
    if (option.kind == OPTION_FLAG) {
        if (value) {
            say("%s: '--%.*s' takes no value", command, (int)len, name);
            return STATUS_USAGE;
        }
        return take(context, &option, is_negated ? "no" : "yes");
    }
    if (!value) {
        value = words[1];
        *read_out = 2;
    }
    if (!value) {
        say("%s: '--%s' wants a value: --%s=%s", command, name, name, option.value);
        return STATUS_USAGE;
    }
    return take(context, &option, value);
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
        if (word[1] != '-') {
            say("%s: unknown option '%s'; options are whole words: see 'mete help %s'", command,
                word, command);
            return STATUS_USAGE;
        }
        size_t taken = 0;
        int status = option_read(command, table, words + read, take, context, &taken);
        if (status) return status;
        read += taken;
    }
    *read_out = read;
    return 0;
}
