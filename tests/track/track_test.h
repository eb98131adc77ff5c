// What the tests of track share: a recording in a folder of its own, for each test anew.
#pragma once

#include "track/course.h"
#include "track/recorder.h"
#include "track/sites.h"
#include "track/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char track_folder[64];

static inline int begin_recording(void **state)
{
    (void)state;
    char path[128];
    (void)snprintf(track_folder, sizeof track_folder, "/tmp/mete-track-XXXXXX");
    if (!mkdtemp(track_folder)) return -1;
    (void)snprintf(path, sizeof path, "%s/%%p.%%i", track_folder);
    char *arguments[] = {(char[]){"one"}, (char[]){"two words"}};
    const struct recorder_options options = {path, true, 2, arguments, NULL};
    int error = recorder_open(&options);
    if (error) return error;
    if (!tally_begin(TALLY_OLD_LEFT) || !sites_begin()) return -1;
    course_begin();
    return 0;
}

static inline int end_recording(void **state)
{
    (void)state;
    char command[128];
    record_writer_close(&recorder.writer);
    (void)snprintf(command, sizeof command, "rm -r %s", track_folder);
    return system(command);
}
