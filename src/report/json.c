#include "report/letters.h"
#include "report/report.h"

#include <jansson.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

// Text of any bytes: what is no UTF-8 becomes U+FFFD.
static json_t *text(const char *words)
{
    json_t *string = json_string(words);
    if (string) return string;
    char *mended = malloc(3 * strlen(words) + 1);
    if (!mended) return NULL;
    char *to = mended;
    while (*words) {
        const char *begin = words;
        const bool is_letter = letter_next(&words) != UINT32_MAX;
        const char *from = is_letter ? begin : "\xef\xbf\xbd";
        const size_t size = is_letter ? (size_t)(words - begin) : 3;
        memcpy(to, from, size);
        to += size;
    }
    *to = '\0';
    string = json_string(mended);
    free(mended);
    return string;
}

static json_t *text_or_null(const char *words)
{
    return *words ? text(words) : json_null();
}

// JSON's integers have a sign here.
static json_t *count(uint64_t value)
{
    return json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX);
}

static json_t *bytes(int64_t value)
{
    return json_integer(value);
}

// A new value under a name that cannot be there already; a NULL value is a want of memory and shows
// when the object is looked at as a whole.
static int set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value);
}

// Names and values in turn, NULL at the end. NULL for want of memory.
struct member {
    const char *name;
    json_t *value;
};

static json_t *object_of(const struct member *members, size_t member_count)
{
    json_t *object = json_object();
    bool is_fine = object != NULL;
    for (size_t i = 0; i < member_count; i++) {
        if (set(object, members[i].name, members[i].value) != 0) is_fine = false;
    }
    if (is_fine) return object;
    json_decref(object);
    return NULL;
}
#define OBJECT(...)                                                                                \
    object_of((const struct member[]){__VA_ARGS__},                                                \
              sizeof((const struct member[]){__VA_ARGS__}) / sizeof(struct member))

// An array of what `make` makes of each index.
static json_t *array_of(const struct profile *profile, size_t member_count,
                        json_t *(*make)(const struct profile *, size_t))
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < member_count; i++) {
        if (json_array_append_new(array, make(profile, i)) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

// --- the process

static json_t *status_of(const struct profile_process *process)
{
    if (process->state != PROFILE_WAITED) return json_null();
    if (WIFEXITED(process->status)) return json_integer(WEXITSTATUS(process->status));
    if (WIFSIGNALED(process->status)) return json_integer(128 + WTERMSIG(process->status));
    return json_null();
}

static json_t *signal_of(const struct profile_process *process)
{
    if (process->state != PROFILE_WAITED || !WIFSIGNALED(process->status)) return json_null();
    return json_integer(WTERMSIG(process->status));
}

static json_t *argument(const struct profile *profile, size_t i)
{
    return text(profile->process.command[i]);
}

static json_t *process_of(const struct report_subject *subject)
{
    static const char *const states[] = {"running", "ended", "execed", "waited"};
    const struct profile *profile = subject->profile;
    const struct profile_process *process = &profile->process;
    return OBJECT(
        {"program", text_or_null(process->program)}, {"name", text_or_null(process->name)},
        {"command", process->command_count > 0 ? array_of(profile, process->command_count, argument)
                                               : json_null()},
        {"pid", count(process->pid)}, {"parent_pid", count(process->parent_pid)},
        {"image", count(process->image)}, {"threads", count(process->thread_count)},
        {"inherits_from_pid",
         process->inherits_from_pid ? count(process->inherits_from_pid) : json_null()},
        {"directory", text_or_null(process->directory)}, {"host", text_or_null(process->host)},
        {"mete", text_or_null(process->version)}, {"state", json_string(states[process->state])},
        {"is_running", json_boolean(subject->life == REPORT_RUNNING)},
        {"is_over",
         json_boolean(process->state != PROFILE_RUNNING || subject->life == REPORT_OVER)},
        {"status", status_of(process)}, {"signal", signal_of(process)},
        {"began_ms", count(process->begin_ms)}, {"duration_ms", count(process->duration_ms)});
}

static json_t *totals_of(const struct profile *profile)
{
    const struct figures *totals = &profile->totals;
    return OBJECT(
        {"allocations", count(totals->allocations)}, {"frees", count(totals->frees)},
        {"bytes_allocated", count(totals->bytes_allocated)},
        {"bytes_freed", count(totals->bytes_freed)}, {"live_blocks", bytes(totals->live_blocks)},
        {"live_bytes", bytes(totals->live_bytes)},
        {"peak_bytes", count(profile->process.peak_bytes)},
        {"peak_blocks", count(profile->process.peak_blocks)},
        {"at_peak_bytes", bytes(totals->at_peak_bytes)}, {"temporary", count(totals->temporary)},
        {"reallocations", count(totals->reallocations)},
        {"wasted_bytes", count(totals->wasted_allocated)},
        {"live_wasted_bytes", bytes(totals->live_wasted)},
        {"at_peak_wasted_bytes", bytes(totals->at_peak_wasted)},
        {"inherited", count(totals->inherited)},
        {"inherited_bytes", count(totals->inherited_bytes)});
}

static json_t *peak_of(const struct profile *profile)
{
    return OBJECT({"time_ms", count(profile->process.peak_ms)},
                  {"exact", json_boolean(profile->process.is_peak_exact)});
}

// Equal names add up: a file from outside may repeat them.
static json_t *lost_of(const struct profile *profile)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < profile->lost_count; i++) {
        json_t *name = text(profile->lost[i].name);
        const char *key = json_string_value(name);
        json_t *before = key ? json_object_get(object, key) : NULL;
        const uint64_t sum = (uint64_t)json_integer_value(before) + profile->lost[i].count;
        if (!key || set(object, key, count(sum)) != 0) {
            json_decref(object);
            object = NULL;
        }
        json_decref(name);
    }
    return object;
}

static json_t *mapping(const struct profile *profile, size_t i)
{
    const struct profile_tally *tally = &profile->mappings[i];
    return OBJECT({"call", text(tally->name)}, {"calls", count(tally->count)},
                  {"bytes", count(tally->bytes)});
}

static json_t *point(const struct profile *profile, size_t i)
{
    const struct profile_point *from = &profile->timeline[i];
    return OBJECT({"time_ms", count(from->time_ms)}, {"live_bytes", count(from->live_bytes)},
                  {"allocations", count(from->allocations)});
}

// The last bucket has no end.
static json_t *size_bucket(const uint64_t *sizes, size_t i)
{
    return OBJECT({"size", i + 1 < PROFILE_SIZES ? json_integer((json_int_t)16 << i) : json_null()},
                  {"allocations", count(sizes[i])});
}

static json_t *total_size(const struct profile *profile, size_t i)
{
    return size_bucket(profile->sizes, i);
}

static json_t *module(const struct profile *profile, size_t i)
{
    const struct profile_module *from = &profile->modules[i];
    return OBJECT({"path", text(from->path)}, {"build_id", text_or_null(from->build_id)},
                  {"base", count(from->base)}, {"start", count(from->start)},
                  {"size", count(from->size)}, {"loaded_ms", count(from->loaded_ms)},
                  {"unloaded_ms", from->unloaded_ms ? count(from->unloaded_ms) : json_null()},
                  {"frames", count(from->frames)},
                  {"frames_without_names", count(from->frames_nameless)});
}

static json_t *thread(const struct profile *profile, size_t i)
{
    const struct profile_thread *from = &profile->threads[i];
    return OBJECT(
        {"tid", count(from->tid)}, {"name", text_or_null(from->name)},
        {"alive", json_boolean(from->is_alive)}, {"first_ms", count(from->first_ms)},
        {"last_ms", count(from->last_ms)}, {"allocations", count(from->figures.allocations)},
        {"bytes_allocated", count(from->figures.bytes_allocated)},
        {"frees", count(from->figures.frees)}, {"bytes_freed", count(from->figures.bytes_freed)},
        {"frees_unseen", count(from->frees_unseen)}, {"temporary", count(from->figures.temporary)},
        {"reallocations", count(from->figures.reallocations)},
        {"wasted_bytes", count(from->figures.wasted_allocated)});
}

// --- leaks, as sums

static bool is_scanned(const struct profile *profile)
{
    return profile->leaks.state == PROFILE_LEAKS_SCANNED;
}

static json_t *sum_of(const struct profile *profile, enum profile_leak_kind kind)
{
    const struct profile_leak *sum = &profile->leaks.sums[kind];
    return OBJECT({"blocks", count(sum->blocks)}, {"bytes", count(sum->bytes)});
}

static json_t *leaked_of(const struct profile *profile)
{
    if (!is_scanned(profile)) return json_null();
    return OBJECT({"direct", sum_of(profile, PROFILE_LOST_DIRECT)},
                  {"indirect", sum_of(profile, PROFILE_LOST_INDIRECT)});
}

static json_t *leaks_reason_of(const struct report_subject *subject)
{
    char words[96];
    const char *reason = report_leaks_reason(subject, words);
    return reason ? text(reason) : json_null();
}

// --- children

static json_t *child_of(const struct report_subject *child, bool is_starter)
{
    return OBJECT({"path", text_or_null(child->path)}, {"is_starter", json_boolean(is_starter)},
                  {"process", process_of(child)}, {"totals", totals_of(child->profile)},
                  {"peak", peak_of(child->profile)}, {"leaked", leaked_of(child->profile)},
                  {"leaks_reason", leaks_reason_of(child)}, {"lost", lost_of(child->profile)});
}

static json_t *children_of(const struct report_tree *tree)
{
    json_t *array = json_array();
    for (size_t i = 1; array && i < tree->count; i++) {
        if (json_array_append_new(array, child_of(&tree->subjects[i], i == tree->started)) == 0)
            continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

// --- sites

static json_t *frame(const struct profile *profile, uint32_t at, uint32_t frame_index)
{
    const struct profile_line *line = &profile->lines[at];
    const struct profile_frame *from = &profile->frames[frame_index];
    const bool has_name = !profile->functions[line->function].is_nameless;
    return OBJECT(
        {"function", has_name ? text(line->full) : json_null()}, {"file", text_or_null(line->file)},
        {"line", line->line ? count(line->line) : json_null()},
        {"module",
         from->module != PROFILE_NONE ? text(profile->modules[from->module].path) : json_null()},
        {"offset", count(from->offset)}, {"inlined", json_boolean(line->is_inlined)});
}

static json_t *frames_of(const struct profile *profile, const struct profile_site *site)
{
    json_t *array = json_array();
    struct profile_walk walk = profile_walk_from(profile, site->node);
    for (uint32_t at = profile_walk_next(&walk); array && at != PROFILE_NONE;
         at = profile_walk_next(&walk)) {
        if (json_array_append_new(array, frame(profile, at, walk.frame)) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *over_time_of(const struct profile *profile, const struct profile_site *site)
{
    int64_t points[PROFILE_POINTS_MAX];
    profile_over_time(profile, site, points);
    json_t *array = json_array();
    for (size_t i = 0; array && i < profile->point_count; i++) {
        if (json_array_append_new(array, bytes(points[i])) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *sizes_of(const struct profile *profile, const struct profile_site *site)
{
    uint64_t sizes[PROFILE_SIZES];
    profile_site_sizes(profile, site, sizes);
    json_t *array = json_array();
    for (size_t i = 0; array && i < PROFILE_SIZES; i++) {
        if (sizes[i] == 0) continue;
        if (json_array_append_new(array, size_bucket(sizes, i)) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *threads_of(const struct profile *profile, const struct profile_site *site)
{
    uint32_t threads[PROFILE_SITE_THREADS];
    const size_t known = profile_site_threads(profile, site, threads);
    json_t *array = json_array();
    for (size_t i = 0; array && i < known; i++) {
        json_t *tid =
            threads[i] != PROFILE_NONE ? count(profile->threads[threads[i]].tid) : json_null();
        if (json_array_append_new(array, tid) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *site_of(const struct profile *profile, size_t index)
{
    static const char *const kinds[] = {"stack", "before", "signal", "others", "itself", "thread"};
    const struct profile_site *site = &profile->sites[index];
    const struct figures *figures = &site->figures;
    const bool has_steps = figures->reallocations > 0;
    const char *end = profile_end_text(site->end);
    json_t *kind =
        site->kind < sizeof kinds / sizeof *kinds ? json_string(kinds[site->kind]) : json_null();
    return OBJECT(
        {"site", count(index)}, {"kind", kind}, {"name", text_or_null(site->name)},
        {"allocations", count(figures->allocations)}, {"frees", count(figures->frees)},
        {"bytes_allocated", count(figures->bytes_allocated)},
        {"bytes_freed", count(figures->bytes_freed)}, {"live_blocks", bytes(figures->live_blocks)},
        {"live_bytes", bytes(figures->live_bytes)}, {"peak_bytes", bytes(site->peak_bytes)},
        {"peak_exact", json_boolean(site->is_peak_exact)},
        {"at_peak_bytes", bytes(figures->at_peak_bytes)},
        {"at_peak_blocks", bytes(figures->at_peak_blocks)},
        {"temporary", count(figures->temporary)}, {"reallocations", count(figures->reallocations)},
        {"smallest_step", has_steps ? bytes(site->step_min) : json_null()},
        {"largest_step", has_steps ? bytes(site->step_max) : json_null()},
        {"wasted_bytes", count(figures->wasted_allocated)},
        {"live_wasted_bytes", bytes(figures->live_wasted)},
        {"at_peak_wasted_bytes", bytes(figures->at_peak_wasted)},
        {"inherited", count(figures->inherited)},
        {"inherited_bytes", count(figures->inherited_bytes)},
        {"smallest_size", count(site->size_min)}, {"largest_size", count(site->size_max)},
        {"sizes", sizes_of(profile, site)}, {"first_ms", count(site->first_ms)},
        {"last_ms", count(site->last_ms)}, {"live_over_time", over_time_of(profile, site)},
        {"threads", threads_of(profile, site)}, {"thread_count", count(site->thread_count)},
        {"stack_end", end ? json_string(end) : json_null()},
        {"owner", site->owner != PROFILE_NONE ? count(site->owner) : json_null()},
        {"frames", frames_of(profile, site)});
}

// --- leaks

static const char *const leak_kinds[PROFILE_LEAK_KINDS] = {
    "direct", "indirect", "interior", "reachable", "inherited", "ignored", "suppressed",
};

static json_t *leak_of(const struct profile *profile, const struct profile_leak *leak)
{
    const struct profile_site *site = &profile->sites[leak->site];
    const bool is_lost = leak->kind <= PROFILE_LOST_INDIRECT;
    json_t *object =
        OBJECT({"kind", json_string(leak_kinds[leak->kind])}, {"blocks", count(leak->blocks)},
               {"bytes", count(leak->bytes)}, {"site", count(leak->site)});
    // Of the others the site knows the stack.
    if (object && is_lost && set(object, "frames", frames_of(profile, site)) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

// Those whose kind lies in [first, end), as far as the filter leaves them.
static json_t *leaks_of(const struct profile *profile, int first, int end)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < profile->leaks.count; i++) {
        const struct profile_leak *leak = &profile->leaks.all[i];
        if ((int)leak->kind < first || (int)leak->kind >= end) continue;
        if (profile->sites[leak->site].is_hidden) continue;
        if (json_array_append_new(array, leak_of(profile, leak)) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *reachable_of(const struct profile *profile)
{
    if (!is_scanned(profile)) return json_null();
    const struct profile_leak *sum = &profile->leaks.sums[PROFILE_REACHABLE];
    return OBJECT({"blocks", count(sum->blocks)}, {"bytes", count(sum->bytes)},
                  {"interior", sum_of(profile, PROFILE_INTERIOR)},
                  {"inherited", sum_of(profile, PROFILE_INHERITED)},
                  {"ignored", sum_of(profile, PROFILE_IGNORED)},
                  {"sites", leaks_of(profile, PROFILE_INTERIOR, PROFILE_SUPPRESSED)});
}

static json_t *lost_blocks_of(const struct profile *profile)
{
    return is_scanned(profile) ? leaks_of(profile, PROFILE_LOST_DIRECT, PROFILE_INTERIOR)
                               : json_null();
}

static json_t *suppressed_of(const struct profile *profile)
{
    return is_scanned(profile) ? sum_of(profile, PROFILE_SUPPRESSED) : json_null();
}

static json_t *leaks_ms_of(const struct profile *profile)
{
    return is_scanned(profile) ? count(profile->leaks.duration_ms) : json_null();
}

// --- all of it

static json_t *head_of(const struct report_tree *tree)
{
    const struct report_subject *main = &tree->subjects[0];
    const struct profile *profile = main->profile;
    return OBJECT({"schema", json_integer(1)}, {"recording", text_or_null(main->path)},
                  {"process", process_of(main)}, {"totals", totals_of(profile)},
                  {"peak", peak_of(profile)},
                  {"timeline", array_of(profile, profile->timeline_count, point)},
                  {"sizes", array_of(profile, PROFILE_SIZES, total_size)},
                  {"modules", array_of(profile, profile->modules_count, module)},
                  {"threads", array_of(profile, profile->threads_count, thread)},
                  {"mappings", array_of(profile, profile->mappings_count, mapping)},
                  {"children", children_of(tree)}, {"children_unlisted", count(tree->unlisted)},
                  {"leaks", lost_blocks_of(profile)}, {"leaks_reason", leaks_reason_of(main)},
                  {"leaked", leaked_of(profile)}, {"suppressed", suppressed_of(profile)},
                  {"reachable", reachable_of(profile)}, {"leaks_ms", leaks_ms_of(profile)},
                  {"lost", lost_of(profile)}, {"missing_bytes", count(profile->missing)},
                  {"contradictions", count(profile->unbelieved)},
                  {"live_over_time_interval_ms",
                   profile->point_count > 0 ? count(profile->interval_ms) : json_null()},
                  {"sites_hidden", count(profile->sites_hidden)});
}

// The sites one by one, a line each: all of a large recording's at once would need gigabytes.
int report_json(FILE *out, const struct report_tree *tree)
{
    const struct profile *profile = tree->subjects[0].profile;
    json_t *head = head_of(tree);
    char *words = head ? json_dumps(head, JSON_INDENT(2)) : NULL;
    json_decref(head);
    if (!words) return -ENOMEM;
    // Its last brace and the line end before it make place for the sites.
    words[strlen(words) - 2] = '\0';
    (void)fprintf(out, "%s,\n  \"sites\": [", words);
    free(words);
    const char *joint = "\n    ";
    for (size_t i = 0; i < profile->sites_count; i++) {
        if (profile->sites[i].is_hidden) continue;
        json_t *site = site_of(profile, i);
        if (!site) return -ENOMEM;
        (void)fputs(joint, out);
        (void)json_dumpf(site, out, 0); // a failed write shows at the stream's end
        json_decref(site);
        joint = ",\n    ";
    }
    (void)fputs("\n  ]\n}\n", out);
    return 0;
}
