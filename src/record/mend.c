#include "record/mend.h"

#include "record/description.h"
#include "record/merge.h"
#include "record/row.h"

#include <string.h>

// A text that is not in `bytes` is empty.
static bool text_mend(const struct recording *self, struct record_text *text)
{
    if (text->size == 0) return false;
    if (text->offset <= self->bytes_count && text->size <= self->bytes_count - text->offset) {
        return false;
    }
    *text = (struct record_text){0};
    return true;
}

// A reference that is not in its table is none.
static bool index_mend(uint32_t *index, size_t count)
{
    if (*index == RECORD_NONE || *index < count) return false;
    *index = RECORD_NONE;
    return true;
}

// All texts of a table, by its description.
static void texts_mend(struct recording *self, enum record_table which, void *rows, size_t count)
{
    const struct record_table_description *table = &record_tables[which];
    for (size_t j = 0; j < table->column_count; j++) {
        if (table->columns[j].type != RECORD_TEXT) continue;
        char *text = (char *)rows + table->columns[j].offset;
        for (size_t i = 0; i < count; i++, text += table->row_size) {
            self->unbelieved += text_mend(self, (struct record_text *)text);
        }
    }
}

// Nodes that say nothing stand as roots with no module's frame would: they keep their place, since
// others count on it. The number of frames from here outward is kept in bounds by the sites.
static void nodes_mend(struct recording *self)
{
    // Without a frame there is no node: none can be believed.
    if (self->frames_count == 0) {
        self->unbelieved += self->nodes_count;
        self->nodes_count = 0;
    }
    for (size_t i = 0; i < self->nodes_count; i++) {
        struct record_node *node = &self->nodes[i];
        bool is_wrong = false;
        if (node->parent != RECORD_NONE && node->parent >= i) {
            node->parent = RECORD_NONE;
            is_wrong = true;
        }
        if (node->frame >= self->frames_count) {
            node->frame = 0;
            node->parent = RECORD_NONE;
            is_wrong = true;
        }
        self->unbelieved += is_wrong;
    }
}

// Sites that lost their threads say that there were none: their rows tell.
static void sites_mend(struct recording *self)
{
    for (size_t i = 0; i < self->sites_count; i++) {
        struct record_site *site = &self->sites[i];
        self->unbelieved += index_mend(&site->node, self->nodes_count);
        const size_t there = self->site_threads_count;
        const uint32_t listed = merge_listed(site->thread_count);
        if (listed == 0 || (site->first_thread < there && listed <= there - site->first_thread)) {
            continue;
        }
        site->thread_count = 0;
        self->unbelieved++;
    }
    for (size_t i = 0; i < self->site_threads_count; i++) {
        self->unbelieved += index_mend(&self->site_threads[i].thread, self->threads_count);
    }
}

static void rows_mend(struct recording *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->rows_count; i++) {
        struct record_row *row = &self->rows[i];
        if (row->site >= self->sites_count) {
            self->unbelieved++;
            continue;
        }
        self->unbelieved += index_mend(&row->thread, self->threads_count);
        if (row->snapshots > RECORD_SNAPSHOTS) row->snapshots = RECORD_SNAPSHOTS;
        for (size_t j = 0; j < row->snapshots; j++) {
            row->live_over_time[j] = row_snapshot(row->live_over_time[j]);
        }
        if (kept != i) self->rows[kept] = *row;
        kept++;
    }
    self->rows_count = kept;
}

static void leaks_mend(struct recording *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->leaks_count; i++) {
        const struct record_leak leak = self->leaks[i];
        if (leak.site >= self->sites_count || leak.leader >= self->sites_count ||
            leak.kind >= RECORD_LEAK_KINDS) {
            self->unbelieved++;
            continue;
        }
        self->leaks[kept++] = leak;
    }
    self->leaks_count = kept;
}

static void names_mend(struct recording *self)
{
    if (self->names_count > self->frames_count) {
        self->unbelieved += self->names_count - self->frames_count;
        self->names_count = self->frames_count;
    }
    for (size_t i = 0; i < self->names_count; i++) {
        struct record_name *name = &self->names[i];
        if (name->count == 0) continue;
        const size_t lines_count = self->lines_count;
        if (name->first <= lines_count && name->count <= lines_count - name->first) continue;
        *name = (struct record_name){0};
        self->unbelieved++;
    }
}

// Makes the process's figures those of its threads, which are right at every moment: what is live
// is written down from time to time only, and a peak when it is over.
static void totals_mend(struct recording *self)
{
    struct record_process *process = self->process;
    if (!process || self->threads_count == 0) return;
    uint64_t bytes = 0;
    uint64_t blocks = 0;
    uint64_t last_ms = 0;
    for (size_t i = 0; i < self->threads_count; i++) {
        const struct record_thread *thread = &self->threads[i];
        bytes += thread->bytes_allocated - thread->bytes_freed;
        blocks += thread->allocations - thread->frees;
        if (thread->last_ms > last_ms) last_ms = thread->last_ms;
    }
    process->live_bytes = (int64_t)bytes > 0 ? bytes : 0;
    process->live_blocks = (int64_t)blocks > 0 ? blocks : 0;
    if (process->live_bytes <= process->peak_bytes) return;
    // It is the peak: what is live of a row was live at it.
    process->peak_bytes = process->live_bytes;
    process->peak_blocks = process->live_blocks;
    process->peak_ms = last_ms;
    process->peak_count++;
    // Threads that run are read one after the other.
    if (process->state == RECORD_RUNNING && self->threads_count > 1) process->is_peak_exact = 0;
}

// Older recordings have no name: it is the last part of the program's path.
static void name_mend(struct recording *self)
{
    struct record_process *process = self->process;
    if (!process || process->name.size > 0) return;
    process->name = process->program;
    const char *path = recording_text(self, process->program);
    const char *slash = memrchr(path, '/', process->program.size);
    if (!slash) return;
    const uint32_t skipped = (uint32_t)(slash + 1 - path);
    process->name.offset += skipped;
    process->name.size -= skipped;
}

void recording_mend(struct recording *self)
{
#define MEND_TEXTS(table, row, columns)                                                            \
    texts_mend(self, RECORD_TABLE_##table, self->table, self->table##_count);
    RECORD_TABLES(MEND_TEXTS)
    name_mend(self);
    for (size_t i = 0; i < self->modules_count; i++) {
        struct record_module *module = &self->modules[i];
        if (module->build_id_size > RECORD_BUILD_ID_MAX) module->build_id_size = 0;
    }
    for (size_t i = 0; i < self->frames_count; i++) {
        self->unbelieved += index_mend(&self->frames[i].module, self->modules_count);
    }
    nodes_mend(self);
    sites_mend(self);
    rows_mend(self);
    leaks_mend(self);
    names_mend(self);
    totals_mend(self);
}
