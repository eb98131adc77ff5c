// Answers what must stand in the environment of a program for mete to serve it.
#include "cli/cmd.h"
#include "cli/environment.h"
#include "cli/output.h"

#include <jansson.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum form { FORM_PLAIN, FORM_GDB, FORM_SYSTEMD, FORM_COUNT };
static const char *const form_names[FORM_COUNT] = {"plain", "gdb", "systemd"};

struct env_call {
    enum form form;
    bool as_json;
    struct environment_settings settings;
};

static const struct option options[] = {
    {.name = "for",
     .kind = OPTION_VALUE,
     .value = "FORM",
     .help = "plain (for env, containers), gdb or systemd"},
    {.name = "json", .kind = OPTION_FLAG, .help = "print an object with schema and assignments"},
};

static int take_form(struct env_call *call, const char *value)
{
    for (int i = 0; i < FORM_COUNT; i++) {
        if (strcmp(form_names[i], value) == 0) {
            call->form = (enum form)i;
            return 0;
        }
    }
    say("env: '--for=%s': the forms are plain, gdb and systemd", value);
    return STATUS_USAGE;
}

static int take(void *context, const struct option *option, const char *value)
{
    struct env_call *call = context;
    if (strcmp(option->name, "for") == 0) return take_form(call, value);
    if (strcmp(option->name, "json") == 0) {
        call->as_json = value[0] == 'y';
        return 0;
    }
    return environment_take(&call->settings, "env", option, value);
}

static bool text_is_utf8(const char *text)
{
    json_t *string = json_string(text); // NULL when it is not
    json_decref(string);
    return string != NULL;
}

// Why a form cannot carry this value, in words that follow the variable's name; NULL if it can.
static const char *obstacle_find(enum form form, const char *value)
{
    const size_t len = strlen(value);
    for (size_t i = 0; i < len; i++) {
        const bool is_control = (unsigned char)value[i] < ' ' || value[i] == '\x7f';
        if (is_control) return "holds a control character, which --json alone can carry";
    }
    // The result of a command substitution is split, and nothing that we write would prevent it.
    if (form == FORM_PLAIN && strchr(value, ' ')) {
        return "holds a space, where 'env $(mete env)' would split it; commas separate settings";
    }
    if (form == FORM_GDB && len > 0 && value[len - 1] == '\\') {
        return "ends in a backslash, which gdb would take to continue the line";
    }
    if (form == FORM_SYSTEMD && !text_is_utf8(value)) {
        return "is not UTF-8, and systemd would ignore the line";
    }
    return NULL;
}

static void print_assignment(enum form form, const char *name, const char *value)
{
    switch (form) {
    case FORM_GDB: // takes the rest of the line as it is
        printf("set environment %s %s\n", name, value);
        return;
    case FORM_SYSTEMD: // a '%' begins a specifier, such as %h
        printf("Environment=\"%s=", name);
        for (const char *at = value; *at; at++) {
            if (*at == '"' || *at == '\\') (void)putchar('\\');
            if (*at == '%') (void)putchar('%');
            (void)putchar(*at);
        }
        (void)puts("\"");
        return;
    case FORM_PLAIN:
    case FORM_COUNT: break;
    }
    printf("%s=%s\n", name, value);
}

static int print(const struct env_call *call, const char *preload, const char *settings)
{
    if (call->as_json) {
        return output_json(
            json_pack("{s:i, s:s, s:s}", "schema", 1, "LD_PRELOAD", preload, "METE", settings));
    }
    const char *const names[] = {"LD_PRELOAD", "METE"};
    const char *const values[] = {preload, settings};
    for (size_t i = 0; i < 2; i++) {
        const char *obstacle = obstacle_find(call->form, values[i]);
        if (!obstacle) continue;
        say("env: %s %s", names[i], obstacle);
        return STATUS_FAILED;
    }
    print_assignment(call->form, "LD_PRELOAD", preload);
    if (*settings) print_assignment(call->form, "METE", settings);
    return STATUS_OK;
}

static int env(const struct cmd *self, char **words)
{
    struct env_call call = {0};
    size_t read = 0;
    int status = options_read(self->name, self->options, words, take, &call, &read);
    if (status) return status;
    if (words[read]) return command_refuse(self, words[read]);

    struct environment environment;
    status = environment_make(&environment, self->name, &call.settings, NULL);
    if (!status) status = print(&call, environment.preload, environment.settings);
    environment_deinit(&environment);
    return status;
}

const struct cmd cmd_env = {
    .name = "env",
    .usage = "[OPTIONS]",
    .question = "what puts a program on mete's heap?",
    .summary = "Prints the assignments that make a program run on mete's heap",
    .detail = "LD_PRELOAD names the preload object, before what LD_PRELOAD holds already.\n"
              "METE carries settings; it is printed when there are any, and later ones win:\n"
              "those of the command line come after those that METE holds already.\n"
              "\n"
              "For example: env $(mete env --stats) python3 program.py\n",
    .options = {.rows = options, .count = sizeof options / sizeof *options, .takes_settings = true},
    .exec = env,
};
