#include "report/amount.h"
#include "report/letters.h"
#include "report/parts.h"
#include "report/shell_word.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

const char *part_program(const struct profile *profile)
{
    const struct profile_process *process = &profile->process;
    if (*process->name) return process->name;
    if (process->command_count > 0 && *process->command[0]) return last_name(process->command[0]);
    return "(a program without a name)";
}

static void waited_ending(int status, char *text, size_t size)
{
    if (WIFEXITED(status)) {
        (void)snprintf(text, size, "status %d", WEXITSTATUS(status));
        return;
    }
    if (!WIFSIGNALED(status)) {
        (void)snprintf(text, size, "an unknown status");
        return;
    }
    const char *name = sigabbrev_np(WTERMSIG(status));
    if (name) {
        (void)snprintf(text, size, "killed by SIG%s", name);
    } else {
        (void)snprintf(text, size, "killed by signal %d", WTERMSIG(status));
    }
}

void part_ending(const struct report_subject *subject, enum part_words words, char *text,
                 size_t size)
{
    static const char *const unended[][2] = {
        // Not even a system call _exit, made without libc, can be told from a kill.
        [REPORT_LIFE_UNKNOWN] = {"ended without a word or still runs", "ended or running"},
        [REPORT_RUNNING] = {"still running", "still running"},
        [REPORT_OVER] = {"ended without a word, or was killed", "ended or killed"},
    };
    const struct profile_process *process = &subject->profile->process;
    const enum profile_state state =
        subject->life == REPORT_RUNNING ? PROFILE_RUNNING : process->state;
    switch (state) {
    case PROFILE_WAITED: waited_ending(process->status, text, size); return;
    case PROFILE_ENDED: (void)snprintf(text, size, "ended"); return;
    case PROFILE_EXECED: (void)snprintf(text, size, "went on as another program"); return;
    case PROFILE_RUNNING: break;
    }
    (void)snprintf(text, size, "%s", unended[subject->life][words == PART_IN_SHORT]);
}

// The command, so that a shell would run it again.
static void put_command(struct line *line, const struct profile *profile, const char *program,
                        size_t end)
{
    const struct profile_process *process = &profile->process;
    char *name = shell_command(program, line->style.has_unicode);
    line_put_begin(line, INK_BOLD, name ? name : program, end);
    free(name);
    for (size_t i = 1; i < process->command_count && line->column < end; i++) {
        char *word = shell_word(process->command[i], line->style.has_unicode);
        if (!word || line->column + 2 >= end) {
            free(word);
            return;
        }
        line_go(line, line->column + 1);
        line_put_begin(line, INK_PLAIN, word, end);
        free(word);
    }
}

// Where a long ending has left room for it.
static void put_fitting(struct line *line, const char *before, unsigned number, const char *behind)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%s%u%s", before, number, behind);
    if (line->column + strlen(text) <= LINE_COLUMNS) line_put(line, INK_DIM, text);
}

void part_head(struct line *line, const struct report_subject *subject)
{
    const struct profile *profile = subject->profile;
    const struct profile_process *process = &profile->process;
    put_command(line, profile, part_program(profile), LINE_COLUMNS);
    line_end(line);

    char ending[64];
    char time[AMOUNT_SIZE];
    part_ending(subject, PART_IN_FULL, ending, sizeof ending);
    amount_time(time, process->duration_ms, line->style.is_exact);
    const bool is_killed = process->state == PROFILE_RUNNING && subject->life == REPORT_OVER;
    const bool is_bad = is_killed || (process->state == PROFILE_WAITED && process->status != 0);
    line_put(line, is_bad ? INK_NOTE : INK_PLAIN, ending);
    // Of one that said nothing at its end, its last event is known.
    const bool is_vague = process->state == PROFILE_RUNNING && subject->life != REPORT_RUNNING;
    line_print(line, INK_PLAIN, is_vague ? "; last heard of at %s" : " after %s", time);
    put_fitting(line, ", pid ", process->pid, "");
    if (process->image > 1) put_fitting(line, " (image ", process->image, ")");
    const size_t threads = process->thread_count;
    if (threads > 1) put_fitting(line, ", ", (unsigned)threads, " threads");
    if (process->inherits_from_pid) {
        put_fitting(line, ", forked from ", process->inherits_from_pid, "");
    }
    line_end(line);
    (void)part_damage(line, profile);
}

size_t part_started(struct line *line, const struct report_tree *tree)
{
    if (tree->started == 0) return 0;
    if (!line) return 1;
    const struct report_subject *started = &tree->subjects[tree->started];
    char ending[64];
    char tail[96];
    part_ending(started, PART_IN_SHORT, ending, sizeof ending);
    const int tail_len =
        snprintf(tail, sizeof tail, " (pid %u, %s)", started->profile->process.pid, ending);
    line_print(line, INK_PLAIN, "the largest of %zu processes of ", tree->count + tree->unlisted);
    // As it was typed: many programs are links to others.
    const struct profile_process *process = &started->profile->process;
    const bool has_words = process->command_count > 0 && *process->command[0];
    put_command(line, started->profile,
                has_words ? last_name(process->command[0]) : part_program(started->profile),
                LINE_COLUMNS - (size_t)tail_len);
    line_put(line, INK_PLAIN, tail);
    line_end(line);
    return 1;
}

void part_figure(struct line *line, const char *value, const char *name)
{
    line_put_right(line, INK_BOLD, value, part_value_end(line));
    line_go(line, line->column + 2);
    line_put(line, INK_PLAIN, name);
}

static void put_allocations(struct line *line, const struct profile *profile)
{
    const struct figures *totals = &profile->totals;
    char text[AMOUNT_SIZE];
    amount_bytes(text, figures_value(totals, FIGURES_BYTES), line->style.is_exact);
    part_figure(line, text, "allocated in ");
    const uint64_t allocations = (uint64_t)figures_value(totals, FIGURES_ALLOCATIONS);
    amount_count(text, allocations, line->style.is_exact);
    line_print(line, INK_PLAIN, "%s allocation%s", text, amount_plural(allocations));
    char rate[AMOUNT_SIZE + 16] = "";
    char temporary[AMOUNT_SIZE + 16] = "";
    if (profile->process.duration_ms > 0 && allocations > 0) {
        amount_rate(text, allocations, profile->process.duration_ms);
        (void)snprintf(rate, sizeof rate, ", %s a second", text);
    }
    if (totals->temporary > 0) {
        amount_share(text, figures_value(totals, FIGURES_TEMPORARY), (int64_t)allocations);
        (void)snprintf(temporary, sizeof temporary, ", %s temporary", text);
    }
    // Exact numbers may leave no room for the rate, which is none.
    if (line->column + strlen(rate) + strlen(temporary) <= LINE_COLUMNS) {
        line_put(line, INK_PLAIN, rate);
    }
    line_put(line, INK_PLAIN, temporary);
    line_end(line);
}

static void put_rounding(struct line *line, const struct profile *profile)
{
    const struct figures *totals = &profile->totals;
    char text[AMOUNT_SIZE];
    amount_bytes(text, totals->at_peak_wasted, line->style.is_exact);
    part_figure(line, text, "added by rounding at the peak");
    amount_share(text, totals->at_peak_wasted, (int64_t)profile->process.peak_bytes);
    if (*text) line_print(line, INK_PLAIN, ", %s", text);
    line_end(line);
}

size_t part_figures_lines(const struct profile *profile)
{
    return 4 + (profile->leaks.state != PROFILE_LEAKS_UNASKED);
}

void part_figures(struct line *line, const struct report_subject *subject)
{
    const struct profile *profile = subject->profile;
    const struct profile_process *process = &profile->process;
    const bool is_exact = line->style.is_exact;
    char text[AMOUNT_SIZE];
    char count[AMOUNT_SIZE];
    amount_bytes(text, (int64_t)process->peak_bytes, is_exact);
    part_figure(line, text, "peak");
    amount_time(text, process->peak_ms, is_exact);
    amount_count(count, process->peak_blocks, is_exact);
    line_print(line, INK_PLAIN, ", at %s in %s block%s", text, count,
               amount_plural(process->peak_blocks));
    const size_t threads = process->thread_count;
    if (!process->is_peak_exact && threads > 1) {
        // What threads keep to themselves (docs/ledger.md).
        const bool is_small = process->peak_bytes / 100 < threads * 4096;
        const char *words = is_small ? ", within 1 % or 4 KiB a thread" : ", within 1 %";
        const bool fits = line->column + strlen(words) <= LINE_COLUMNS;
        line_put(line, INK_DIM, fits ? words : ", inexact");
    }
    line_end(line);

    const int64_t live = profile->totals.live_blocks;
    const uint64_t live_count = live > 0 ? (uint64_t)live : 0;
    amount_bytes(text, profile->totals.live_bytes, is_exact);
    const bool may_go_on = process->state == PROFILE_RUNNING && !process->is_over;
    part_figure(line, text, may_go_on ? "live" : "left at the end");
    amount_count(count, live_count, is_exact);
    line_print(line, INK_PLAIN, " in %s block%s", count, amount_plural(live_count));
    line_end(line);
    if (profile->leaks.state != PROFILE_LEAKS_UNASKED) part_lost(line, subject);
    put_allocations(line, profile);
    put_rounding(line, profile);
}
