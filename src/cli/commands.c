#include "cli/commands.h"

#include "cli/cmd.h"
#include "cli/output.h"
#include "cli/suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const struct cmd *const commands[COMMANDS_COUNT] = {
    &cmd_run, &cmd_report, &cmd_leaks, &cmd_env, &cmd_version, &cmd_help,
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

enum { OPTION_HELP_BEGIN = 31 }; // two spaces, 28 columns of the option, a space

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

// The length of what stands on one line: a word, or a short parenthesis, which is one.
static int piece_len(const char *text)
{
    const size_t in_parentheses = *text == '(' ? strcspn(text, ")\n") : 0;
    const bool is_short = in_parentheses < 24 && text[in_parentheses] == ')';
    const size_t begin = in_parentheses > 0 && is_short ? in_parentheses : 0;
    return (int)(begin + strcspn(text + begin, " \n"));
}

// Prints text in lines of 80 columns; the first begins where `column` says, the others at `indent`.
// An end of line is a space, an empty line parts paragraphs. All of it is ASCII.
static void print_wrapped(const char *text, int indent, int column)
{
    enum { COLUMNS = 80 };
    bool is_first = true;
    while (*text) {
        const int len = piece_len(text);
        if (len > 0) {
            if (!is_first && column + 1 + len > COLUMNS) {
                printf("\n%*s", indent, "");
                column = indent;
            } else if (!is_first) {
                putchar(' ');
                column++;
            }
            printf("%.*s", len, text);
            column += len;
            is_first = false;
        }
        text += len;
        if (strncmp(text, "\n\n", 2) == 0) {
            printf("\n\n%*s", indent, "");
            column = indent;
            is_first = true;
            text++;
        }
        if (*text) text++;
    }
    putchar('\n');
}

void command_print(const struct cmd *cmd)
{
    printf("mete %s %s\n\n%s.\n\n", cmd->name, cmd->usage, cmd->summary);
    print_wrapped(cmd->detail, 0, 0);
    if (option_count(cmd->options) > 0) printf("\nOptions:\n");
    for (size_t i = 0; i < option_count(cmd->options); i++) {
        const struct option option = option_at(cmd->options, i);
        const struct option_text text = option_text(&option);
        printf("  %-28s ", text.call);
        print_wrapped(text.help, OPTION_HELP_BEGIN, OPTION_HELP_BEGIN);
    }
}

int command_refuse(const struct cmd *cmd, const char *word)
{
    say("%s: '%s' is one word too many; usage: mete %s %s", cmd->name, word, cmd->name, cmd->usage);
    return STATUS_USAGE;
}
