// What the preload object does for `mete run`, without an allocator: reads METE and makes a
// recording of one process row. FAKE_PEAK is its peak, FAKE_STATE its state instead of running and
// ended; FAKE_BROKEN leaves a file that never became a recording.
#include "base/pattern.h"
#include "base/settings.h"
#include "record/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct fake {
    struct record_header header;
    struct record_process process;
    char text[256];
};
static struct fake *fake; // stays mapped as a recording does

#define SIZE_U32 4
#define SIZE_U64 8
#define SIZE_TEXT 8

static uint32_t columns;
static uint32_t offset;

static void column(const char *name, uint32_t type, uint32_t size)
{
    struct record_column_entry *entry = &fake->header.columns[columns++];
    strncpy(entry->name, name, sizeof entry->name);
    entry->type = type;
    offset = (offset + (size == SIZE_TEXT && type == RECORD_TEXT ? 4 : size) - 1) &
             ~((size == SIZE_TEXT && type == RECORD_TEXT ? 4 : size) - 1);
    entry->offset = (uint16_t)offset;
    entry->count = 1;
    offset += size;
}
#define COLUMN(type, name) column(#name, RECORD_##type, SIZE_##type);
#define NO_COLUMNS(type, name, count)

static int file_make(const char *pattern)
{
    char pid[16];
    char image[16];
    char path[4096];
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    for (int i = 1; i < 100; i++) {
        (void)snprintf(image, sizeof image, "%d", i);
        const struct pattern_field fields[] = {{'p', pid}, {'i', image}};
        if (!pattern_expand(pattern, fields, 2, path, sizeof path)) return -1;
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

static void fill(void)
{
    memcpy(fake->header.magic, RECORD_MAGIC, 8);
    fake->header.version = RECORD_VERSION;
    fake->header.header_size = RECORD_HEADER_SIZE;
    fake->header.table_count = 2;
    RECORD_PROCESS_COLUMNS(COLUMN, NO_COLUMNS)
    fake->header.column_count = columns;
    fake->header.tables[0] = (struct record_table_entry){
        .name = "process",
        .row_size = sizeof fake->process,
        .column_count = columns,
        .offset = offsetof(struct fake, process),
        .capacity = 1,
        .count = 1,
    };
    fake->header.tables[1] = (struct record_table_entry){
        .name = "bytes",
        .row_size = 1,
        .first_column = columns,
        .column_count = 1,
        .offset = offsetof(struct fake, text),
        .capacity = sizeof fake->text,
        .count = sizeof fake->text,
    };
    fake->header.columns[columns] = (struct record_column_entry){
        .name = "byte",
        .type = RECORD_U8,
        .count = 1,
    };
    fake->header.column_count = columns + 1;
    ssize_t len = readlink("/proc/self/exe", fake->text, sizeof fake->text);
    fake->process.program.size = len > 0 ? (uint32_t)len : 0;
    fake->process.pid = (uint32_t)getpid();
    fake->process.parent_pid = (uint32_t)getppid();
    const char *state = getenv("FAKE_STATE");
    if (state) fake->process.state = (uint32_t)atoi(state);
    const char *peak = getenv("FAKE_PEAK");
    if (peak) fake->process.peak_bytes = strtoul(peak, NULL, 10);
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("METE");
    struct settings settings;
    settings_init(&settings);
    if (text) settings_parse(&settings, text, NULL, NULL);
    if (!settings.observe || !settings.recording[0]) return;
    if (getenv("FAKE_TELL")) dprintf(2, "%d %s\n", settings.arguments, settings.recording);
    const int fd = file_make(settings.recording);
    if (fd < 0) return;
    if (!getenv("FAKE_BROKEN") && ftruncate(fd, 1 << 20) == 0) {
        void *mapped = mmap(NULL, sizeof *fake, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (mapped != MAP_FAILED) {
            fake = mapped;
            fill();
        }
    }
    close(fd);
}

__attribute__((destructor)) static void end(void)
{
    if (fake && !getenv("FAKE_STATE")) fake->process.state = RECORD_ENDED;
}
