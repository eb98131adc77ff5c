// Debuginfod: debug files and executables by build-id from the servers in DEBUGINFOD_URLS.
// libdebuginfod is loaded when it is first needed, and never where that variable is empty: then
// nothing is looked up, no cache is touched, and there is no network. All questions together may
// take only so long; past that, nothing is asked any more.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debuginfod {
    void *library;
    void *client;
    int (*find_debuginfo)(void *client, const unsigned char *id, int size, char **path);
    int (*find_executable)(void *client, const unsigned char *id, int size, char **path);
    void (*end)(void *client);
    int64_t milliseconds_left;
    bool is_tried; // to load it
};

// Whether there are servers to ask.
bool debuginfod_is_configured(void);

void debuginfod_init(struct debuginfod *self, int64_t milliseconds_max);
void debuginfod_deinit(struct debuginfod *self);

// A descriptor that the caller closes, with the path of the copy here, to be freed; or -1.
int debuginfod_debuginfo(struct debuginfod *self, const uint8_t *id, size_t size, char **path_out);
int debuginfod_executable(struct debuginfod *self, const uint8_t *id, size_t size, char **path_out);
