// Shell word: any text as one word that a shell reads back as it was: plain where it can be, in
// quotes, or as $'...' (bash, zsh, ksh) where a terminal would not show it. For the report room
// alone.
#pragma once

#include <stdbool.h>

// To be freed; NULL for want of memory.
char *shell_word(const char *text, bool has_unicode);

// The same as the first of a command, where one with '=' would be an assignment.
char *shell_command(const char *text, bool has_unicode);
