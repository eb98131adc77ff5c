// Package: in which of the system's packages a file is, from the lists that Debian's dpkg keeps of
// what it installed. Reads files, starts nothing. For the report room alone.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PACKAGE_LISTS "/var/lib/dpkg/info"

enum { PACKAGE_NAME_SIZE = 64 };

// The package whose list in the folder `lists` names the file, without its architecture. False when
// none does, or not within reasonable limits.
bool package_find(const char *lists, const char *file, char name[static PACKAGE_NAME_SIZE]);

// What has the debug symbols of a package's programs.
void package_of_symbols(const char *package, char *name, size_t size);
