#include "cli/commands.h"

#include "cli/cmd.h"
#include "cli/output.h"
#include "cli/suggest.h"

#include <stdio.h>
#include <string.h>

const struct cmd *const commands[COMMANDS_COUNT] = {
    &cmd_run, &cmd_report, &cmd_env, &cmd_version, &cmd_help,
};

const struct cmd *command_find(const char *name)
{
    struct suggest suggest = suggest_for(name);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(commands[i]->name, name) == 0) return commands[i];
        suggest_offer(&suggest, commands[i]->name);
    }
    if (suggest.best) {
        say("unknown command '%s'; did you mean '%s'?", name, suggest.best);
    } else {
        say("unknown command '%s'; 'mete help' lists them", name);
    }
    return NULL;
}

void commands_print(void)
{
    printf("mete: allots memory and tells who holds it\n\n");
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        char call[64];
        (void)snprintf(call, sizeof call, "mete %s %s", commands[i]->name, commands[i]->usage);
        printf("  %-30s %s\n", call, commands[i]->question);
    }
    printf("\n'mete help COMMAND' tells more of each.\n");
}

void command_print(const struct cmd *cmd)
{
    printf("mete %s %s\n\n%s.\n\n%s", cmd->name, cmd->usage, cmd->summary, cmd->detail);
    if (option_count(cmd->options) > 0) printf("\nOptions:\n");
    for (size_t i = 0; i < option_count(cmd->options); i++) {
        const struct option option = option_at(cmd->options, i);
        const struct option_text text = option_text(&option);
        printf("  %-28s %s\n", text.call, text.help);
    }
}

int command_refuse(const struct cmd *cmd, const char *word)
{
    say("%s: '%s' is one word too many; usage: mete %s %s", cmd->name, word, cmd->name, cmd->usage);
    return STATUS_USAGE;
}
