// Answers what mete can do, and how a command is called.
#include "cli/cmd.h"
#include "cli/manual.h"
#include "cli/output.h"

#include <stdbool.h>

static const struct option options[] = {
    {.name = "manual", .kind = OPTION_FLAG, .help = "print the whole manual, as source for scdoc"},
};

static int take(void *context, const struct option *option, const char *value)
{
    (void)option; // there is but one
    *(bool *)context = value[0] == 'y';
    return 0;
}

static int help(const struct cmd *self, char **words)
{
    bool whole_manual = false;
    size_t read = 0;
    int status = options_read(self->name, self->options, words, take, &whole_manual, &read);
    if (status) return status;
    words += read;
    if (words[0] && (words[1] || whole_manual)) {
        return command_refuse(self, words[whole_manual ? 0 : 1]);
    }
    if (whole_manual) {
        manual_print();
        return STATUS_OK;
    }
    if (!words[0]) {
        commands_print();
        return STATUS_OK;
    }
    const struct cmd *cmd = command_find(words[0]);
    if (!cmd) return STATUS_USAGE;
    command_print(cmd);
    return STATUS_OK;
}

const struct cmd cmd_help = {
    .name = "help",
    .usage = "[COMMAND]",
    .question = "how is a command called?",
    .summary = "Tells how a command is called, or which commands there are",
    .detail = "'mete COMMAND --help' prints the same.\n",
    .options = {.rows = options, .count = sizeof options / sizeof *options},
    .exec = help,
};
