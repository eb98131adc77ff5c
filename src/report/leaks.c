#include "report/amount.h"
#include "report/parts.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { ROWS_SHOWN = 10, PATHS_SHOWN = 2 };

const char *report_leaks_reason(const struct report_subject *subject, char text[static 96])
{
    const struct profile_leaks *leaks = &subject->profile->leaks;
    char ending[64];
    switch (leaks->state) {
    case PROFILE_LEAKS_SCANNED: return NULL;
    case PROFILE_LEAKS_REFUSED: return leaks->reason;
    case PROFILE_LEAKS_UNASKED: return "it was not asked for";
    case PROFILE_LEAKS_BUSY:
        return "it ended within a call of malloc or free, in a handler or another thread";
    case PROFILE_LEAKS_AWAITED: break;
    }
    part_ending(subject, PART_IN_FULL, ending, sizeof ending);
    const struct profile_process *process = &subject->profile->process;
    const bool has_status = process->state == PROFILE_WAITED && WIFEXITED(process->status);
    (void)snprintf(text, 96, "%s%s", has_status ? "it did not end by exit(): " : "", ending);
    return text;
}

static uint64_t lost_blocks(const struct profile_leaks *leaks)
{
    return leaks->sums[PROFILE_LOST_DIRECT].blocks + leaks->sums[PROFILE_LOST_INDIRECT].blocks;
}

static void put_amount(struct line *line, const struct profile_leak *leak)
{
    char bytes[AMOUNT_SIZE];
    char blocks[AMOUNT_SIZE];
    amount_bytes(bytes, (int64_t)leak->bytes, line->style.is_exact);
    amount_count(blocks, leak->blocks, line->style.is_exact);
    line_print(line, INK_PLAIN, "%s in %s block%s", bytes, blocks, amount_plural(leak->blocks));
}

void part_lost(struct line *line, const struct report_subject *subject)
{
    const struct profile_leaks *leaks = &subject->profile->leaks;
    char text[96];
    const char *reason = report_leaks_reason(subject, text);
    if (reason) {
        part_figure(line, "?", "lost; nobody looked: ");
        line_put_begin(line, INK_NOTE, reason, LINE_COLUMNS);
        line_end(line);
        return;
    }
    const struct profile_leak *direct = &leaks->sums[PROFILE_LOST_DIRECT];
    const struct profile_leak *indirect = &leaks->sums[PROFILE_LOST_INDIRECT];
    char bytes[AMOUNT_SIZE];
    amount_bytes(bytes, (int64_t)(direct->bytes + indirect->bytes), line->style.is_exact);
    part_figure(line, bytes, "lost");
    const uint64_t blocks = lost_blocks(leaks);
    if (blocks == 0 && leaks->suppressed_lost > 0) {
        amount_count(bytes, leaks->suppressed_lost, line->style.is_exact);
        line_print(line, INK_PLAIN, " but for %s suppressed block%s", bytes,
                   amount_plural(leaks->suppressed_lost));
    } else if (blocks == 0) {
        line_put(line, INK_PLAIN, ": something leads to each block that is left");
    } else {
        amount_count(bytes, blocks, line->style.is_exact);
        line_print(line, INK_NOTE, " in %s block%s that nothing leads to", bytes,
                   amount_plural(blocks));
        amount_count(bytes, direct->blocks, line->style.is_exact);
        if (indirect->blocks > 0) line_print(line, INK_PLAIN, ", %s of them directly", bytes);
    }
    line_end(line);
}

// What is not lost: a line each of what there is.
static void put_others(struct line *line, const struct profile_leaks *leaks)
{
    static const char *const words[PROFILE_LEAK_KINDS][2] = {
        [PROFILE_INTERIOR] = {"in use in", ", through pointers into them only"},
        [PROFILE_REACHABLE] = {"in use in", ""},
        [PROFILE_INHERITED] = {"inherited in", ": not looked at, as the parent's affair"},
        [PROFILE_IGNORED] = {"left out in", ", as the program wants"},
        [PROFILE_SUPPRESSED] = {"suppressed in", ""},
    };
    for (size_t i = 0; i < PROFILE_LEAK_KINDS; i++) {
        const struct profile_leak *sum = &leaks->sums[i];
        if (!words[i][0] || sum->blocks == 0) continue;
        char text[AMOUNT_SIZE];
        amount_bytes(text, (int64_t)sum->bytes, line->style.is_exact);
        part_figure(line, text, words[i][0]);
        amount_count(text, sum->blocks, line->style.is_exact);
        line_print(line, INK_PLAIN, " %s block%s%s", text, amount_plural(sum->blocks), words[i][1]);
        line_end(line);
    }
}

static void put_leak(struct line *line, const struct profile *profile,
                     const struct profile_leak *leak)
{
    static const char *const words[PROFILE_LEAK_KINDS] = {
        [PROFILE_LOST_DIRECT] = "lost",
        [PROFILE_LOST_INDIRECT] = "lost with others",
        [PROFILE_INTERIOR] = "in use, through pointers into them only",
        [PROFILE_REACHABLE] = "in use",
        [PROFILE_INHERITED] = "inherited from the process that forked this one",
        [PROFILE_IGNORED] = "left out, as the program wants",
        [PROFILE_SUPPRESSED] = "suppressed",
    };
    const struct profile_site *site = &profile->sites[leak->site];
    line_go(line, 2);
    put_amount(line, leak);
    line_print(line, INK_BOLD, " %s", words[leak->kind]);
    line_print(line, INK_DIM, ", site %u", leak->site);
    line_end(line);
    if (site->node == PROFILE_NONE && site->row != PROFILE_NONE) {
        line_go(line, 6);
        line_put(line, INK_PLAIN, profile->functions[profile->rows[site->row].function].name);
        line_end(line);
    }
    part_stack(line, profile, site);
    line_end(line);
}

static void put_all(struct line *line, const struct profile *profile, bool has_all)
{
    const struct profile_leaks *leaks = &profile->leaks;
    for (size_t i = 0; i < leaks->count; i++) {
        const struct profile_leak *leak = &leaks->all[i];
        const bool is_lost = leak->kind <= PROFILE_LOST_INDIRECT;
        if (profile->sites[leak->site].is_hidden || !(is_lost || has_all)) continue;
        put_leak(line, profile, leak);
    }
}

void report_leaks(FILE *out, struct report_style style, const struct report_tree *tree,
                  bool has_all)
{
    struct line line = {.out = out, .style = style};
    const struct report_subject *main = &tree->subjects[0];
    const struct profile *profile = main->profile;
    const struct part_ranking ranking = {
        .key = FIGURES_LOST,
        .title = "Who lost them",
        .count = ROWS_SHOWN,
        .paths = PATHS_SHOWN,
    };
    part_head(&line, main);
    line_end(&line);
    part_lost(&line, main);
    put_others(&line, &profile->leaks);
    line_end(&line);
    if (part_ranking_lines(profile, &ranking) > 0) {
        part_ranking(&line, profile, &ranking);
        line_end(&line);
    }
    put_all(&line, profile, has_all);
    if (part_notes(NULL, main) > 0) (void)part_notes(&line, main);
}

// --- suppressions

// A name, on one line: '?' stands for any character.
static void put_pattern(FILE *out, const char *before, const char *name)
{
    (void)fputs(before, out);
    for (; *name; name++) {
        const bool is_control = (unsigned char)*name < ' ' || *name == '\177';
        (void)fputc(is_control ? '?' : *name, out);
    }
    (void)fputc('\n', out);
}

// The stack as far as main, and no further than Valgrind's blocks may reach: what is lost elsewhere
// is to be told. So code without a name stands there as "program+0x1234", and not as its file. The
// first frame is whoever of malloc's family or operator new gave the block.
static void put_suppression(FILE *out, const struct profile *profile,
                            const struct profile_site *site)
{
    enum { FRAMES = 24 };
    const char *owner = profile->functions[profile->rows[site->row].function].name;
    put_pattern(out, "{\n   ", owner);
    (void)fputs("   Memcheck:Leak\n   match-leak-kinds: definite\n   fun:*\n", out);
    struct profile_walk walk = profile_walk_from(profile, site->node);
    bool is_giver = true;
    for (size_t i = 1; i < FRAMES;) {
        const uint32_t line = profile_walk_next(&walk);
        if (line == PROFILE_NONE) break;
        const struct profile_line *code = &profile->lines[line];
        const bool is_nameless = profile->functions[code->function].is_nameless;
        const char *name = is_nameless ? profile->functions[code->function].name : code->full;
        if (*code->linkage) name = code->linkage; // Valgrind knows no other
        is_giver = is_giver && strncmp(code->full, "operator new", strlen("operator new")) == 0;
        if (is_giver) continue;
        put_pattern(out, "   fun:", name);
        if (strcmp(name, "main") == 0) break;
        i++;
    }
    (void)fprintf(out, "}\n");
}

void report_suppressions(FILE *out, const struct report_subject *subject)
{
    const struct profile *profile = subject->profile;
    for (size_t i = 0; i < profile->leaks.count; i++) {
        const struct profile_leak *leak = &profile->leaks.all[i];
        const struct profile_site *site = &profile->sites[leak->site];
        if (leak->kind != PROFILE_LOST_DIRECT || site->node == PROFILE_NONE) continue;
        if (!site->is_hidden) put_suppression(out, profile, site);
    }
}
