#include "cli/manual.h"

#include "cli/commands.h"

#include "mete/version.h"

#include <stdio.h>

// Prints text as scdoc reads it: what is markup to scdoc is escaped.
static void print_plain(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (*at == '_' || *at == '*' || *at == '\\' || *at == '`' || *at == '#') putchar('\\');
        putchar(*at);
    }
}

static void print_command(const struct cmd *cmd)
{
    printf("## mete ");
    print_plain(cmd->name);
    putchar(' ');
    print_plain(cmd->usage);
    printf("\n\n");
    print_plain(cmd->summary);
    printf(".\n\n");
    print_plain(cmd->detail);
    printf("\n");
    for (size_t i = 0; i < option_count(cmd->options); i++) {
        const struct option option = option_at(cmd->options, i);
        const struct option_text text = option_text(&option);
        printf("*");
        print_plain(text.call);
        printf("*\n\t");
        print_plain(text.help);
        printf("\n\n");
    }
}

static void print_settings(void)
{
    printf(
        "*METE*\n\tSettings for the preload object, as _key=value_ with commas between them. An\n"
        "\tunknown key is told in one line and ignored; setuid programs ignore them all.\n"
        "\tSizes take K, M and G, powers of 1024. In texts a comma stands as _%%2C_, and so may\n"
        "\tany byte. The keys:\n\n");
    const struct option_table table = {.takes_settings = true};
    for (size_t i = 0; i < option_count(table); i++) {
        const struct option option = option_at(table, i);
        printf("\t*");
        print_plain(option.name);
        printf("*\n\t\t");
        print_plain(option_text(&option).help);
        printf("\n\n");
    }
    printf("*LD\\_PRELOAD*\n\tWhere *mete run* and *mete env* put the preload object, before what "
           "is\n\tthere.\n\n"
           "*XDG\\_RUNTIME\\_DIR*, *TMPDIR*\n\tWhere recordings live until they are moved to their "
           "names.\n\n");
}

void manual_print(void)
{
    printf("mete(1) \"mete " METE_VERSION "\"\n\n# NAME\n\n"
           "mete - allot memory, and tell who holds it\n\n# SYNOPSIS\n\n");
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        printf("*mete %s* ", commands[i]->name);
        print_plain(commands[i]->usage);
        printf("%s\n", i + 1 < COMMANDS_COUNT ? "++" : "");
    }
    printf("\n# DESCRIPTION\n\n"
           "The results of a command go to standard output, everything else to standard error.\n"
           "Options end at the first word that is none, or after *--*.\n\n# COMMANDS\n\n");
    for (size_t i = 0; i < COMMANDS_COUNT; i++) print_command(commands[i]);
    printf("# ENVIRONMENT\n\n");
    print_settings();
    printf("# EXIT STATUS\n\n*0*\n\tAll went well.\n\n"
           "*2*\n\tThe command line cannot be understood.\n\n*125*\n\tmete itself failed.\n\n"
           "*mete run* ends with the status of its program, or with\n\n"
           "*126*\n\tThe program cannot be run.\n\n*127*\n\tIt cannot be found.\n\n"
           "*128 + N*\n\tSignal N ended it.\n");
}
