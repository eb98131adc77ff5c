// Program find: which file a word of a command means, as execvp() would find it, and which other
// was perhaps meant. Belongs to the command line.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// The path of the file, of at most PATH_MAX bytes. 0, or -errno when there is none (-ENOENT) or
// none that may be run (-EACCES).
int program_find(const char *name, char *path, size_t size);

// A program whose name is near that of one that is not there. False when none is.
bool program_suggest(const char *name, char *suggestion, size_t size);
