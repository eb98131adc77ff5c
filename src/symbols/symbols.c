#include "symbols/symbols.h"

#include "os/isolated.h"
#include "symbols/debuginfod.h"
#include "symbols/messages.h"
#include "symbols/resolver.h"
#include "symbols/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Long enough for the largest debug files (a gigabyte and more), short enough to be waited for.
enum { SECONDS_MAX = 60 };

// Sanitizers map terabytes that they never touch.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#define IS_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define IS_SANITIZED 0
#endif

// Address space of the process that reads files: the largest debug files mapped and unpacked, and
// what we have mapped ourselves.
static const uint64_t memory_bytes_max = UINT64_C(1) << 34;

struct module {
    struct symbols_module named;
    struct symbols_knowledge knowledge;
};

struct symbols {
    struct symbols_options options;
    struct store store;
    struct module *modules;
    size_t module_count;
    size_t module_capacity;
    int64_t debuginfod_milliseconds_left;
};

// One symbols_resolve() that is under way.
struct resolution {
    struct symbols *symbols;
    struct module *module;
    struct symbols_name *names;
    bool *is_done;
};

static int copy_text(struct symbols *self, const char *text, const char **copy_out)
{
    *copy_out = store_string(&self->store, text, strlen(text));
    return *copy_out ? 0 : -ENOMEM;
}

static int copy_options(struct symbols *self, const struct symbols_options *options)
{
    self->options = *options;
    size_t count = options->debug_folder_count;
    const char **folders = store_take(&self->store, (count ? count : 1) * sizeof *folders);
    if (!folders) return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int error = copy_text(self, options->debug_folders[i], &folders[i]);
        if (error) return error;
    }
    self->options.debug_folders = folders;
    if (self->options.debuginfod_seconds_max == 0) {
        self->options.debuginfod_seconds_max = SECONDS_MAX;
    }
    if (self->options.module_seconds_max == 0) self->options.module_seconds_max = SECONDS_MAX;
    return options->root ? copy_text(self, options->root, &self->options.root) : 0;
}

struct symbols *symbols_create(const struct symbols_options *options)
{
    struct symbols *self = calloc(1, sizeof *self);
    if (!self) return NULL;
    store_init(&self->store);
    if (copy_options(self, options) != 0) {
        symbols_destroy(self);
        errno = ENOMEM;
        return NULL;
    }
    if (!options->no_debuginfod && debuginfod_is_configured()) {
        self->debuginfod_milliseconds_left = (int64_t)self->options.debuginfod_seconds_max * 1000;
    }
    return self;
}

void symbols_destroy(struct symbols *self)
{
    if (!self) return;
    store_deinit(&self->store);
    free(self->modules);
    free(self);
}

int symbols_add_module(struct symbols *self, const struct symbols_module *module, size_t *index_out)
{
    if (self->module_count == self->module_capacity) {
        size_t capacity = self->module_capacity ? self->module_capacity * 2 : 16;
        struct module *modules = reallocarray(self->modules, capacity, sizeof *modules);
        if (!modules) return -ENOMEM;
        self->modules = modules;
        self->module_capacity = capacity;
    }
    struct module added = {
        .named.build_id_size = module->build_id_size,
        .knowledge = {.main_path = "", .debug_path = ""},
    };
    const char *id = "";
    if (module->build_id_size > 0) {
        id = store_string(&self->store, (const char *)module->build_id, module->build_id_size);
        if (!id) return -ENOMEM;
    }
    added.named.build_id = (const uint8_t *)id;
    int error = copy_text(self, module->path, &added.named.path);
    if (error) return error;
    *index_out = self->module_count;
    self->modules[self->module_count++] = added;
    return 0;
}

static int know(void *context, const struct symbols_knowledge *told)
{
    struct resolution *self = context;
    struct symbols_knowledge knowledge = *told;
    int error = copy_text(self->symbols, told->main_path, &knowledge.main_path);
    if (error == 0) error = copy_text(self->symbols, told->debug_path, &knowledge.debug_path);
    if (error) return error;
    // What a second look without DWARF finds is no more than the first one knew.
    if (knowledge.source < self->module->knowledge.source) {
        knowledge.source = self->module->knowledge.source;
    }
    self->module->knowledge = knowledge;
    return 0;
}

static int name(void *context, size_t index, const struct symbols_line *told, size_t count)
{
    struct resolution *self = context;
    struct symbols_line *lines = store_take(&self->symbols->store, count * sizeof *lines);
    if (!lines) return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        lines[i] = told[i];
        int error = copy_text(self->symbols, told[i].function, &lines[i].function);
        if (error == 0) error = copy_text(self->symbols, told[i].linkage, &lines[i].linkage);
        if (error == 0) error = copy_text(self->symbols, told[i].file, &lines[i].file);
        if (error) return error;
    }
    self->names[index] = (struct symbols_name){.lines = lines, .count = count};
    self->is_done[index] = true;
    return 0;
}

static int waited(void *context, int64_t milliseconds)
{
    struct resolution *self = context;
    self->symbols->debuginfod_milliseconds_left -= milliseconds;
    return 0;
}

// In the process that reads the files.
static int run(void *context, int fd)
{
    const struct resolver_request *request = context;
    struct messages_writer writer;
    struct resolver_listener listener = messages_writer_init(&writer, fd);
    int error = resolver_run(request, &listener);
    if (error == 0) error = messages_flush(&writer);
    messages_writer_deinit(&writer);
    return error;
}

// Resolves what is left, in another process. How that one ended is in *end_out.
static int run_isolated(const struct resolver_request *request,
                        const struct resolver_listener *listener, enum isolated_end *end_out)
{
    struct messages_reader reader;
    messages_reader_init(&reader, listener, request->count);
    struct isolated_task task = {
        .run = run,
        .run_context = (void *)request,
        .take = messages_read,
        .take_context = &reader,
        .milliseconds_max = (int64_t)request->options->module_seconds_max * 1000 +
                            request->debuginfod_milliseconds_left,
        .memory_bytes_max = IS_SANITIZED ? 0 : memory_bytes_max,
    };
    int error = isolated_run(&task, end_out);
    messages_reader_deinit(&reader);
    if (error == -EBADMSG) {
        *end_out = ISOLATED_CRASHED;
        error = 0;
    }
    return error;
}

static int run_all(const struct resolver_request *first, const struct resolver_listener *listener,
                   struct symbols_knowledge *knowledge)
{
    struct resolver_request request = *first;
    if (request.options->in_process) return resolver_run(&request, listener);
    enum isolated_end end;
    int error = run_isolated(&request, listener, &end);
    if (error) return error;
    knowledge->end = end == ISOLATED_DONE   ? SYMBOLS_COMPLETE
                     : end == ISOLATED_LATE ? SYMBOLS_LATE
                                            : SYMBOLS_CRASHED;
    if (knowledge->end == SYMBOLS_COMPLETE) return 0;
    enum symbols_end first_end = knowledge->end;
    request.no_dwarf = true;
    request.debuginfod_milliseconds_left = 0;
    error = run_isolated(&request, listener, &end);
    knowledge->end = end == ISOLATED_DONE ? first_end : SYMBOLS_FAILED;
    return error;
}

int symbols_resolve(struct symbols *self, size_t module, const uint64_t *offsets, size_t count,
                    struct symbols_name *names_out)
{
    struct resolution resolution = {
        .symbols = self,
        .module = &self->modules[module],
        .names = names_out,
        .is_done = calloc(count ? count : 1, sizeof *resolution.is_done),
    };
    if (!resolution.is_done) return -ENOMEM;
    for (size_t i = 0; i < count; i++) names_out[i] = (struct symbols_name){.count = 0};
    resolution.module->knowledge.source = SYMBOLS_NOTHING;
    struct resolver_request request = {
        .options = &self->options,
        .module = &resolution.module->named,
        .offsets = offsets,
        .is_done = resolution.is_done,
        .count = count,
        .debuginfod_milliseconds_left = self->debuginfod_milliseconds_left,
    };
    if (request.debuginfod_milliseconds_left < 0) request.debuginfod_milliseconds_left = 0;
    struct resolver_listener listener = {
        .context = &resolution,
        .know = know,
        .name = name,
        .waited = waited,
    };
    int error = run_all(&request, &listener, &resolution.module->knowledge);
    free(resolution.is_done);
    return error;
}

const struct symbols_knowledge *symbols_knowledge(const struct symbols *self, size_t module)
{
    return &self->modules[module].knowledge;
}
