// Options: reads the words after a command by the command's table, and knows nothing of what they
// mean. `--name=value`, `--name value`, `--flag`, `--no-flag`, `--flag=no`, and where an option has
// a letter `-l value`, `-lvalue`, `-l`; options end at the first word that is none, or after `--`.
// An option may be given more than once; what that means is up to the command. Belongs to the
// command line.
#pragma once

#include "base/settings.h"

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
    OPTION_FLAG,  // --name, --no-name, --name=no; the value is "yes" or "no"
    OPTION_VALUE, // --name=value or --name value
};

struct option {
    const char *name; // without the dashes; '_' stands for '-'
    char letter;      // 'o' where -o means the same; 0 where none does
    enum option_kind kind;
    const char *value;             // how help calls the value: "SIZE"; NULL for a flag
    const char *help;              // one line
    const struct setting *setting; // the setting that this option is; NULL for any other
};

// A command's own rows, and behind them, where it takes settings, one per row of settings_table.
struct option_table {
    const struct option *rows;
    size_t count;
    bool takes_settings;
    const char *const *without; // keys of settings that it does not take, up to a NULL; may be NULL
};

size_t option_count(struct option_table table);
struct option option_at(struct option_table table, size_t index);

// Called for each option in turn; a nonzero answer (an exit status) ends the reading.
typedef int (*option_take)(void *context, const struct option *option, const char *value);

// What options_read returns for `--help`, and a command's exec hands on: main prints the help.
enum { OPTIONS_HELP_WANTED = -1 };

// Reads options up to the first word that is none. 0 and the number of words read, or an exit
// status after a message on standard error. `words` ends with NULL.
int options_read(const char *command, struct option_table table, char **words, option_take take,
                 void *context, size_t *read_out);

// An option as help and manual show it: "--dirty-keep=SIZE" and its help with the default.
struct option_text {
    char call[48];
    char help[144];
};
struct option_text option_text(const struct option *option);
