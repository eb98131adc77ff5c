// Finds the command that the first word names, runs it, and makes sure that its words arrived.
#include "cli/cmd.h"
#include "cli/output.h"
#include "cli/roomy_stack.h"

#include <string.h>

static int run(char **words)
{
    const char *name = words[0];
    if (!name) {
        commands_print();
        return STATUS_USAGE;
    }
    if (strcmp(name, "--version") == 0) name = cmd_version.name;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = cmd_help.name;
    if (name[0] == '-') {
        say("unknown option '%s'; a command comes first: 'mete help' lists them", name);
        return STATUS_USAGE;
    }
    const struct cmd *cmd = command_find(name);
    if (!cmd) return STATUS_USAGE;
    int status = cmd->exec(cmd, words + 1);
    if (status != OPTIONS_HELP_WANTED) return status;
    command_print(cmd);
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    // A program may be started without even its own name.
    return output_finish(roomy_stack_run(run, argv + (argc > 0)));
}
