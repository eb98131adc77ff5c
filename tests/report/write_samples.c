// Writes the recordings that the tests of `mete report` read into a folder:
//   write_samples FOLDER
#include "sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder;

static void write_bytes(const char *name, const uint8_t *bytes, size_t size)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void write_sample(const char *name, const struct sample *sample)
{
    size_t size = 0;
    uint8_t *file = sample_file(sample, &size);
    write_bytes(name, file, size);
    free(file);
}

// --- a server in C++ with a bit of everything

struct server {
    struct sample sample;
    uint32_t program;
    uint32_t main_thread;
    uint32_t malloc_frame;
    uint32_t new_frame;
    uint32_t push_back;
    uint32_t load;
    uint32_t parse;
    uint32_t reply;
    uint32_t serve;
    uint32_t main_frame;
    uint32_t start;
    uint32_t cache;
    uint32_t nameless;
};

static void server_process(struct server *self)
{
    struct sample *sample = &self->sample;
    struct record_process *process = sample_process(sample);
    const char command[] = "/usr/local/bin/tableserver\0--rows=100000\0--name=two words\0";
    process->program = sample_text(sample, "/usr/local/bin/tableserver");
    process->command = sample_bytes_text(sample, command, sizeof command - 1);
    process->directory = sample_text(sample, "/srv/tables");
    process->host = sample_text(sample, "example");
    process->version = sample_text(sample, "0.1.0");
    process->clock_real_ns = 1750000000000000000u;
    process->pid = 4242;
    process->parent_pid = 4241;
    process->image = 1;
    process->state = RECORD_WAITED;
    process->status = 0;
    process->duration_ms = 12400;
    process->peak_ms = 7210;
    process->peak_count = 3;
    process->is_peak_exact = 1;
    process->snapshot_interval_ms = 200;
    process->timeline_interval_ms = 100;
}

static void server_code(struct server *self)
{
    struct sample *sample = &self->sample;
    self->program = sample_module(sample, "/usr/local/bin/tableserver");
    const uint32_t libc = sample_module(sample, "/usr/lib/x86_64-linux-gnu/libc.so.6");
    const uint32_t cpp = sample_module(sample, "/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
    const uint32_t plugin = sample_module(sample, "/usr/lib/x86_64-linux-gnu/libicu72.so.1");
    self->malloc_frame = sample_frame(sample, libc, 0x100, "malloc", NULL, 0);
    self->new_frame = sample_frame(sample, cpp, 0x200, "operator new(unsigned long)", NULL, 0);
    self->push_back =
        sample_frame(sample, self->program, 0x300,
                     "void std::vector<Row, std::allocator<Row> >::_M_realloc_insert<Row const&>("
                     "__gnu_cxx::__normal_iterator<Row*, std::vector<Row> >, Row const&)",
                     "/usr/include/c++/12/bits/vector.tcc", 440);
    self->load =
        sample_frame(sample, self->program, 0x400,
                     "tables::(anonymous namespace)::Loader<tables::Row>::load_rows(std::istream&)",
                     "/src/tables/loader.cpp", 120);
    self->parse = sample_frame(sample, self->program, 0x500, "tables::parse_field(char const*)",
                               "/src/tables/field.h", 31);
    sample_outer_line(sample, "tables::parse_row(char const*)", "/src/tables/loader.cpp", 88);
    self->reply = sample_frame(
        sample, self->program, 0x600,
        "tables::network::protocol::version2::ResponseBuilderForLargeTables::append_reply_header("
        "tables::Request const&)",
        "/src/tables/network/response_builder.cpp", 1207);
    self->serve = sample_frame(sample, self->program, 0x700, "tables::serve(int)",
                               "/src/tables/serve.cpp", 77);
    self->main_frame = sample_frame(sample, self->program, 0x800, "main", "/src/main.cpp", 20);
    self->start = sample_frame(sample, libc, 0x900, "__libc_start_main", NULL, 0);
    self->cache =
        sample_frame(sample, self->program, 0xa00, "tables::Cache::keep(tables::Row const&)",
                     "/src/tables/cache.cpp", 9);
    self->nameless = sample_frame(sample, plugin, 0x1234, NULL, NULL, 0);
}

static void server_timeline(struct server *self)
{
    for (int i = 0; i < 124; i++) {
        struct record_point *point = sample_add(&self->sample, RECORD_TABLE_timeline);
        const double x = (double)i / 124;
        const double shape = x < 0.6 ? sin(x / 0.6 * 1.5707963) : 1 - (x - 0.6) * 2.2;
        point->live_bytes = (uint64_t)((shape > 0.1 ? shape : 0.1) * 850e6);
        point->allocations = (uint64_t)(i + 1) * 24445;
    }
}

static struct record_row *server_row(struct server *self, uint32_t site, uint64_t allocations,
                                     uint64_t size, uint64_t frees, int64_t at_peak)
{
    struct record_row *row =
        sample_row_at(&self->sample,
                      sample_row(&self->sample, site, self->main_thread, allocations, size, frees));
    row->peak_count = 3;
    row->at_peak_bytes = at_peak;
    row->at_peak_blocks = at_peak / (int64_t)size;
    row->at_peak_wasted = at_peak / 64;
    row->wasted_allocated = allocations * 3;
    row->wasted_freed = frees * 3;
    row->first_ms = 3;
    row->last_ms = 12000;
    return row;
}

static void server_sites(struct server *self)
{
    struct sample *sample = &self->sample;
    const uint32_t rows = SAMPLE_SITE(sample, self->malloc_frame, self->new_frame, self->push_back,
                                      self->load, self->serve, self->main_frame, self->start);
    const uint32_t reload = SAMPLE_SITE(sample, self->new_frame, self->push_back, self->load,
                                        self->cache, self->main_frame, self->start);
    const uint32_t fields = SAMPLE_SITE(sample, self->malloc_frame, self->parse, self->load,
                                        self->serve, self->main_frame, self->start);
    const uint32_t replies = SAMPLE_SITE(sample, self->new_frame, self->reply, self->serve,
                                         self->main_frame, self->start);
    const uint32_t cached =
        SAMPLE_SITE(sample, self->new_frame, self->cache, self->main_frame, self->start);
    const uint32_t unicode = SAMPLE_SITE(sample, self->malloc_frame, self->nameless);
    struct record_row *row = server_row(self, rows, 1200331, 512, 1150000, 600 << 20);
    row->reallocations = 40;
    row->step_min = 512;
    row->step_max = 1 << 20;
    (void)server_row(self, reload, 9000, 512, 9000, 90 << 20);
    server_row(self, fields, 1500000, 24, 1500000, 31 << 20)->temporary = 1430000;
    server_row(self, replies, 260000, 900, 260000, 0)->temporary = 260000;
    (void)server_row(self, cached, 60000, 200, 52000, 11 << 20);
    (void)server_row(self, unicode, 100, 30000, 0, 3000000);
    for (uint32_t i = 0; i < 6; i++) {
        row = sample_row_at(sample, i);
        row->snapshots = RECORD_SNAPSHOTS;
        for (int j = 0; j < RECORD_SNAPSHOTS; j++) row->live_over_time[j] = (float)(1000 * j);
    }
}

static void server_make(struct server *self)
{
    sample_init(&self->sample);
    server_process(self);
    server_code(self);
    self->main_thread = sample_thread(&self->sample, 4242, "tableserver");
    server_timeline(self);
    server_sites(self);
    sample_total(&self->sample);
    sample_process(&self->sample)->peak_bytes = 770000000;
    sample_process(&self->sample)->peak_blocks = 1604331;
    const struct record_text mmap = sample_text(&self->sample, "mmap");
    *(struct record_mapping *)sample_add(&self->sample, RECORD_TABLE_mappings) =
        (struct record_mapping){.call = mmap, .calls = 7, .bytes = 70000};
    const struct record_text busy = sample_text(&self->sample, "busy");
    *(struct record_lost *)sample_add(&self->sample, RECORD_TABLE_lost) =
        (struct record_lost){.reason = busy, .events = 12};
}

// --- the others

// Four threads that share one site, with known sums.
static void write_threads(void)
{
    struct sample sample;
    sample_init(&sample);
    struct record_process *process = sample_process(&sample);
    process->program = sample_text(&sample, "/usr/bin/workers");
    process->pid = 77;
    process->state = RECORD_ENDED;
    process->duration_ms = 850;
    const uint32_t program = sample_module(&sample, "/usr/bin/workers");
    const uint32_t work = sample_frame(&sample, program, 0x10, "work", "work.c", 5);
    const uint32_t run = sample_frame(&sample, program, 0x20, "run", "work.c", 30);
    const uint32_t site = SAMPLE_SITE(&sample, work, run);
    for (uint32_t i = 0; i < 4; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "worker %u", i);
        const uint32_t thread = sample_thread(&sample, 77 + i, name);
        (void)sample_row(&sample, site, thread, 1000 * (i + 1), 32, 900 * (i + 1));
    }
    process = sample_process(&sample);
    process->peak_count = 1;
    sample_total(&sample);
    sample_process(&sample)->peak_ms = 849;
    write_sample("threads.mete", &sample);
    // What it says of its peak would be wider than a line.
    sample_process(&sample)->peak_ms = 61000;
    sample_process(&sample)->peak_blocks = 6000003;
    sample_process(&sample)->duration_ms = 61000;
    write_sample("wide.mete", &sample);
    sample_deinit(&sample);
}

// What a name from outside may hold: commands to the terminal, bytes that are no UTF-8, wide
// letters; no names at all; a program that was killed.
static void write_hostile(void)
{
    struct sample sample;
    sample_init(&sample);
    sample_process(&sample)->program = sample_text(&sample, "/bin/\033[31mred\xff");
    sample_process(&sample)->state = RECORD_WAITED;
    sample_process(&sample)->status = 11;
    const uint32_t program = sample_module(&sample, "/bin/\033[31mred");
    const uint32_t wide = sample_frame(&sample, program, 1, "读取;表格\n\xc3", NULL, 0);
    const uint32_t site = SAMPLE_SITE(&sample, wide);
    (void)sample_row(&sample, site, RECORD_NONE, 1, 1000, 0);
    sample_process(&sample)->peak_count = 1;
    sample_total(&sample);
    write_sample("hostile.mete", &sample);
    sample_deinit(&sample);
}

static void write_children(void)
{
    for (uint32_t i = 0; i < 13; i++) {
        struct sample sample;
        char name[32];
        sample_init(&sample);
        (void)snprintf(name, sizeof name, "/usr/bin/child%u", i);
        sample_process(&sample)->program = sample_text(&sample, name);
        sample_process(&sample)->pid = 5000 + i;
        sample_process(&sample)->state = i == 1 ? RECORD_RUNNING : RECORD_WAITED;
        sample_process(&sample)->status = i == 2 ? 9 : i << 8;
        const uint32_t site = sample_site(&sample, 0, NULL);
        const uint32_t thread = sample_thread(&sample, 5000 + i, "child");
        (void)sample_row(&sample, site, thread, 100 * (i + 1), 1000, 100);
        sample_process(&sample)->peak_count = 1;
        sample_total(&sample);
        (void)snprintf(name, sizeof name, "child%u.mete", i);
        write_sample(name, &sample);
        sample_deinit(&sample);
    }
}

// A run of few points, each of which is many columns of a graph wide; in a program without names.
static void write_short(void)
{
    struct sample sample;
    sample_init(&sample);
    struct record_process *process = sample_process(&sample);
    process->program = sample_text(&sample, "/usr/bin/short");
    process->pid = 9;
    process->state = RECORD_ENDED;
    process->duration_ms = 40;
    process->timeline_interval_ms = 8;
    process->peak_count = 1;
    const uint32_t program = sample_module(&sample, "/usr/bin/short");
    const uint32_t nameless = sample_frame(&sample, program, 0x10, NULL, NULL, 0);
    (void)sample_frame(&sample, program, 0x20, "named", NULL, 0);
    const uint32_t site = SAMPLE_SITE(&sample, nameless);
    (void)sample_row(&sample, site, sample_thread(&sample, 9, "short"), 1, 1000, 0);
    for (int i = 0; i < 5; i++) {
        struct record_point *point = sample_add(&sample, RECORD_TABLE_timeline);
        *point = (struct record_point){.live_bytes = 1000, .allocations = 1};
    }
    sample_total(&sample);
    write_sample("short.mete", &sample);
    sample_deinit(&sample);
}

static void write_damaged(const struct server *server)
{
    size_t size = 0;
    uint8_t *file = sample_file(&server->sample, &size);
    write_bytes("cut.mete", file, size * 3 / 4);
    write_bytes("stump.mete", file, 1000);
    write_bytes("nothing.mete", file, 0);
    struct record_header *header = (struct record_header *)file;
    const struct record_header whole = *header;
    header->version = 3;
    write_bytes("newer.mete", file, size);
    *header = whole;
    for (size_t i = 0; i < RECORD_TABLE_COUNT; i++) {
        header->tables[i].count = UINT64_MAX;
        header->tables[i].capacity = UINT64_MAX;
    }
    write_bytes("huge.mete", file, size);
    *header = whole;
    header->tables[RECORD_TABLE_rows].row_size = 0;
    write_bytes("damaged.mete", file, size);
    *header = whole;
    for (size_t i = RECORD_HEADER_SIZE; i < size; i += 7) file[i] ^= 0x55;
    write_bytes("garbled.mete", file, size);
    memcpy(file, "mete\n\n", 6);
    write_bytes("text.mete", file, size);
    free(file);
    write_bytes("foreign.mete", (const uint8_t *)"{\"not\": \"ours\"}\n", 16);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    folder = argv[1];
    struct server server = {0};
    server_make(&server);
    write_sample("server.mete", &server.sample);
    write_damaged(&server);
    sample_process(&server.sample)->state = RECORD_RUNNING;
    sample_process(&server.sample)->duration_ms = 0;
    server.sample.tables[RECORD_TABLE_names].count = 0;
    write_sample("unnamed.mete", &server.sample);
    sample_deinit(&server.sample);
    write_threads();
    write_short();
    write_hostile();
    write_children();
    return 0;
}
