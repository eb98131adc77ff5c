#include "report/letters.h"
#include "report/parts.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINES_MAX = PROFILE_STACK_MAX * PROFILE_INLINES_MAX };

// ';' parts frames, a line's end parts stacks.
static void put_word(FILE *out, const char *word)
{
    while (*word) {
        const char *begin = word;
        const uint32_t letter = letter_next(&word);
        if (letter == ';') {
            (void)fputc(':', out);
        } else if (letter < ' ' || letter == 0x7f || letter == UINT32_MAX) {
            (void)fputc('?', out);
        } else {
            (void)fwrite(begin, 1, (size_t)(word - begin), out);
        }
    }
}

static void put_site(FILE *out, const struct profile *profile, const struct profile_site *site,
                     const char *root, int64_t value, uint32_t *lines)
{
    size_t count = 0;
    struct profile_walk walk = profile_walk_from(profile, site->node);
    for (uint32_t at = profile_walk_next(&walk); at != PROFILE_NONE && count < LINES_MAX;
         at = profile_walk_next(&walk)) {
        lines[count++] = at;
    }
    if (root) {
        put_word(out, root);
        (void)fputc(';', out);
    }
    if (count == 0 && !*site->name)
        put_word(out, profile->functions[profile->rows[site->row].function].name);
    for (size_t i = count; i > 0; i--) {
        put_word(out, profile->lines[lines[i - 1]].full);
        if (i > 1) (void)fputc(';', out);
    }
    if (*site->name) (void)fputs(count > 0 ? ";[" : "[", out);
    if (*site->name) put_word(out, site->name);
    if (*site->name) (void)fputc(']', out);
    (void)fprintf(out, " %lld\n", (long long)value);
}

size_t report_folded(FILE *out, const struct report_tree *tree, enum figures_key key)
{
    uint32_t *lines = calloc(LINES_MAX, sizeof *lines);
    size_t count = 0;
    if (!lines) return 0;
    for (size_t i = 0; i < tree->count; i++) {
        const struct profile *profile = tree->subjects[i].profile;
        // Several programs have a root each.
        const char *root = tree->count > 1 ? part_program(profile) : NULL;
        for (size_t j = 0; j < profile->sites_count; j++) {
            const struct profile_site *site = &profile->sites[j];
            const int64_t value = figures_value(&site->figures, key);
            if (site->is_hidden || value <= 0) continue;
            put_site(out, profile, site, root, value, lines);
            count++;
        }
    }
    free(lines);
    return count;
}
