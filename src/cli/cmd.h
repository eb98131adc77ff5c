// Cmd: every command's row, one per cmd_<name>.c. Only commands.c and main.c read this.
#pragma once

#include "cli/commands.h"

extern const struct cmd cmd_env;
extern const struct cmd cmd_help;
extern const struct cmd cmd_leaks;
extern const struct cmd cmd_report;
extern const struct cmd cmd_run;
extern const struct cmd cmd_version;
