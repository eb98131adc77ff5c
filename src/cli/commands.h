// Commands: the one table of what `mete` can do. Help, manual and "did you mean" read it too.
// Each command stands in a file of its own, cmd_<name>.c, that ends with its row.
#pragma once

#include "cli/options.h"

struct cmd {
    const char *name;
    const char *usage;    // what follows the name: "[COMMAND]"
    const char *question; // what it answers: "who holds memory now?"
    const char *summary;  // one line: what it does
    const char *detail;   // paragraphs, wrapped at 80 columns, each ending in a newline
    struct option_table options;
    // Runs with the words after the command's name (ends with NULL); the exit status.
    int (*exec)(const struct cmd *self, char **words);
};

enum { COMMANDS_COUNT = 6 };
extern const struct cmd *const commands[COMMANDS_COUNT];

// The command of that name, or NULL after a message with the nearest one.
const struct cmd *command_find(const char *name);

// All commands, each with its question.
void commands_print(void);

// One command's usage and options.
void command_print(const struct cmd *cmd);

// Complains of a word too many; the status.
int command_refuse(const struct cmd *cmd, const char *word);
