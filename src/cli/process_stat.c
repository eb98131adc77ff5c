#include "cli/process_stat.h"

#include <stdio.h>
#include <string.h>

bool process_stat_read(uint32_t pid, enum process_stat which, unsigned long long *number_out)
{
    char text[1024]; // a name has 15 bytes at most, and what is before the number is short
    (void)snprintf(text, sizeof text, "/proc/%u/stat", pid);
    FILE *file = fopen(text, "re");
    if (!file) return false;
    const size_t size = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[size] = '\0';
    const char *at = strrchr(text, ')'); // the name before it may hold anything
    // The name is the second.
    for (int field = 2; at && field < (int)which; field++) at = strchr(at + 1, ' ');
    return at && sscanf(at, " %llu", number_out) == 1;
}
