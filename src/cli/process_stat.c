#include "cli/process_stat.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 1024 }; // a name has 15 bytes at most, and what is before the numbers is short

// What stands behind the name, which may hold anything; NULL when there is no such process.
static const char *behind_name(uint32_t pid, char *text)
{
    (void)snprintf(text, TEXT_SIZE, "/proc/%u/stat", pid);
    FILE *file = fopen(text, "re");
    if (!file) return NULL;
    const size_t size = fread(text, 1, TEXT_SIZE - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    return strrchr(text, ')');
}

bool process_is_stopped(uint32_t pid)
{
    char text[TEXT_SIZE];
    const char *at = behind_name(pid, text);
    return at && strncmp(at, ") T", 3) == 0;
}

bool process_stat_read(uint32_t pid, enum process_stat which, unsigned long long *number_out)
{
    char text[TEXT_SIZE];
    const char *at = behind_name(pid, text);
    // The name is the second.
    for (int field = 2; at && field < (int)which; field++) at = strchr(at + 1, ' ');
    return at && sscanf(at, " %llu", number_out) == 1;
}
