#include "cli/run_shortfall.h"

#include "record/tables.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Of children that went on as others, and of those that allot memory in a way of their own; nobody
// reads more.
enum { CHILDREN_NAMED = 3, RUNNING_NAMED = 3, BLIND_NAMED = 3 };

#define UNSEEN                                                                                     \
    "is linked statically, setuid or 32-bit, is built with a sanitizer, has no LD_PRELOAD and "    \
    "METE in its environment ('env -i', sudo), or runs as another user or in another root "        \
    "(chroot)"

__attribute__((format(printf, 2, 3))) static void add(struct shortfall *self, const char *format,
                                                      ...)
{
    if (self->count == SHORTFALL_LINES_MAX) return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(self->lines[self->count++], SHORTFALL_LINE_SIZE, format, arguments);
    va_end(arguments);
}

// What it went on as, and what can be said of that.
struct replacement {
    bool is_known;
    bool is_running;
    struct successor successor;
    struct obstacle obstacle; // what stands in the way of looking at it
};

static struct replacement replacement_of(const struct shortfall_facts *facts, size_t index)
{
    struct replacement self = {.is_known = false};
    const struct recording *item = &facts->recordings->items[index];
    const struct successor *noted = successors_find(facts->successors, item->pid, item->image);
    if (item->pid != facts->end->pid) {
        self.is_running = successor_look(item->pid, item->facts.begin_ms, &self.successor);
    }
    self.is_known = self.is_running || noted;
    // What was seen first counts: programs write their titles over their environment.
    const bool is_same = noted && strcmp(noted->program, self.successor.program) == 0;
    if (noted && (!self.is_running || is_same)) self.successor = *noted;
    if (!self.is_known) return self;
    char *command[] = {self.successor.program, NULL};
    self.obstacle = observable_look(command);
    return self;
}

// One line of it; false when there is nothing to tell.
static bool tell(struct shortfall *self, const struct shortfall_facts *facts, size_t index,
                 const struct replacement *replacement)
{
    const struct recording *item = &facts->recordings->items[index];
    const bool is_own = item->pid == facts->end->pid;
    char name[256];
    const char *program = is_own || !item->facts.program[0] ? facts->program : item->facts.program;
    (void)snprintf(name, sizeof name, is_own ? "'%s'" : "'%s' (pid %d)", program, (int)item->pid);
    const struct successor *successor = &replacement->successor;
    const char *running = replacement->is_running ? ", which still runs," : ",";
    if (replacement->is_known && replacement->obstacle.kind == OBSTACLE_ALL) {
        add(self, "%s became '%s'%s which %s", name, successor->program, running,
            replacement->obstacle.reason);
    } else if (replacement->is_known && !successor->has_settings) {
        add(self,
            "%s became '%s'%s in an environment without LD_PRELOAD and METE, as 'env -i' and sudo "
            "make it: put 'mete run' behind that",
            name, successor->program, running);
    } else if (!replacement->is_known || is_own) {
        add(self,
            "%s became another program, which left no recording: it allocated nothing, " UNSEEN
            ": put 'mete run' behind that",
            name);
    } else {
        return false; // it can be observed, and has allocated nothing
    }
    return true;
}

static void find_children(struct shortfall *self, const struct shortfall_facts *facts)
{
    const struct recordings *recordings = facts->recordings;
    size_t named = 0;
    size_t running = 0;
    size_t more = 0;
    bool is_explained = false; // the long sentence once
    for (size_t i = 0; i < recordings->count; i++) {
        if (recordings->items[i].pid == facts->end->pid || !recordings_end_in_exec(recordings, i))
            continue;
        const struct replacement replacement = replacement_of(facts, i);
        const bool has_room =
            replacement.is_running ? running < RUNNING_NAMED : named < CHILDREN_NAMED;
        if (!has_room || (is_explained && !replacement.is_known)) {
            more++;
            continue;
        }
        if (!tell(self, facts, i, &replacement)) continue;
        is_explained |= !replacement.is_known;
        running += replacement.is_running;
        named += !replacement.is_running;
    }
    if (more > 0) {
        add(self, "%zu more process%s became %s that left no recording", more,
            more == 1 ? "" : "es", more == 1 ? "a program" : "programs");
    }
}

// Whether it may be a program that came to be by exec and in which nothing was seen.
static bool may_be_blind(const struct shortfall_facts *facts, const struct recording *item)
{
    if (item->facts.allocations > 0 || item->is_dropped || item->facts.inherits_from_pid != 0) {
        return false;
    }
    const bool is_own = item->pid == facts->end->pid;
    const bool is_told = facts->obstacle->kind != OBSTACLE_NONE; // of what was typed
    return is_own ? !is_told || item->image > 1 : facts->has_children;
}

// Programs that came to be by exec, and of which nothing was seen since they allot memory in a way
// of their own. Each is told once, and looked at once where it comes again and again.
static void find_blind(struct shortfall *self, const struct shortfall_facts *facts)
{
    char told[BLIND_NAMED][PATH_MAX];
    char fine[PATH_MAX] = ""; // the last that can be seen
    size_t count = 0;
    size_t more = 0;
    for (size_t i = 0; i < facts->recordings->count; i++) {
        const struct recording *item = &facts->recordings->items[i];
        char program[PATH_MAX];
        if (!may_be_blind(facts, item)) continue;
        if (!recording_facts_program(item->path, program, sizeof program)) continue;
        bool is_known = strcmp(program, fine) == 0;
        for (size_t j = 0; j < count; j++) is_known |= strcmp(program, told[j]) == 0;
        if (is_known) continue;
        char *command[] = {program, NULL};
        const struct obstacle obstacle = observable_look(command);
        if (obstacle.kind == OBSTACLE_NONE) {
            strcpy(fine, program);
        } else if (count < BLIND_NAMED) {
            strcpy(told[count++], program);
            add(self, "'%s' (pid %d) %s", obstacle.subject, (int)item->pid, obstacle.reason);
        } else {
            more++;
        }
    }
    if (more > 0) add(self, "%zu more process%s like these", more, more == 1 ? "" : "es");
}

// Whether it is the first of its process: a pid may have been given again.
static bool is_first_image(const struct recordings *recordings, size_t index)
{
    const struct recording *item = &recordings->items[index];
    const struct recording *before = index > 0 ? item - 1 : NULL;
    return !before || before->pid != item->pid || before->facts.state != RECORD_EXECED;
}

// How many programs that were started left no recording, as far as can be counted: children that
// were made by posix_spawn() are not, and one of them that recorded makes up for one that did not.
static size_t count_unseen(const struct shortfall_facts *facts)
{
    const struct recordings *recordings = facts->recordings;
    size_t started = 0;
    size_t seen = 0;
    for (size_t i = 0; i < recordings->count; i++) {
        const struct recording *item = &recordings->items[i];
        const bool is_first = is_first_image(recordings, i) && item->facts.inherits_from_pid == 0;
        started += item->facts.execs;
        seen += is_first && item->pid != facts->end->pid;
    }
    return started > seen ? started - seen : 0;
}

// Whether there are recordings of any process but the command's own.
static bool has_others(const struct shortfall_facts *facts)
{
    for (size_t i = 0; i < facts->recordings->count; i++) {
        if (facts->recordings->items[i].pid != facts->end->pid) return true;
    }
    return false;
}

// Whether the command waited for others: of what the kernel adds up of these, which lack no page
// faults, some is not for a look for leaks.
static bool has_waited(const struct shortfall_facts *facts)
{
    unsigned long long own = 0;
    for (size_t i = 0; i < facts->recordings->count; i++) {
        const struct recording *item = &facts->recordings->items[i];
        if (item->pid == facts->end->pid) own += item->facts.leak_faults;
    }
    return facts->end->children_faults > own;
}

// Programs of which nothing is known but that they were started.
static void find_unseen(struct shortfall *self, const struct shortfall_facts *facts)
{
    const size_t count = count_unseen(facts);
    if (count > 0) {
        add(self, "%zu program%s that %s started left no recording: %s " UNSEEN, count,
            count == 1 ? "" : "s", count == 1 ? "was" : "were", count == 1 ? "it" : "each");
    } else if (has_waited(facts) && !has_others(facts)) {
        add(self, "'%s' started others, which left no recording: each allocated nothing, " UNSEEN,
            facts->program);
    }
}

void shortfall_find(struct shortfall *self, const struct shortfall_facts *facts)
{
    const struct recordings *recordings = facts->recordings;
    const size_t own = recordings_own(recordings, facts->end->pid);
    self->count = 0;
    self->is_replaced = own < recordings->count && recordings_end_in_exec(recordings, own);
    if (facts->obstacle->kind != OBSTACLE_NONE) {
        add(self, "'%s' %s", facts->obstacle->subject, facts->obstacle->reason);
    } else if (recordings->count == 0 && !facts->has_room) {
        add(self, "there is no room for one: make some, or set TMPDIR to a folder that has it");
    } else if (recordings->count == 0) {
        add(self, "%s", observable_absence(facts->end->status));
    } else if (self->is_replaced) {
        const struct replacement replacement = replacement_of(facts, own);
        (void)tell(self, facts, own, &replacement);
    }
    find_blind(self, facts);
    if (!facts->has_children || recordings->count == 0) return;
    find_children(self, facts);
    // Where something stands in the way of all of them, that has been said.
    const bool is_known = own < recordings->count && !self->is_replaced;
    if (facts->obstacle->kind == OBSTACLE_NONE && is_known) find_unseen(self, facts);
}
