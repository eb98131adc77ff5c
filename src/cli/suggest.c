#include "cli/suggest.h"

#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 31 };

struct suggest suggest_for(const char *asked)
{
    return (struct suggest){.asked = asked, .best = NULL, .distance = SIZE_MAX};
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    if (a_len > WORD_MAX || b_len > WORD_MAX) return SIZE_MAX;

    // distance[i][j] is between the first i letters of a and the first j of b.
    size_t distance[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_len; i++) distance[i][0] = i;
    for (size_t j = 0; j <= b_len; j++) distance[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = distance[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            size_t best = min(change, min(distance[i - 1][j], distance[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = min(best, distance[i - 2][j - 2] + 1);
            }
            distance[i][j] = best;
        }
    }
    return distance[a_len][b_len];
}

void suggest_offer(struct suggest *self, const char *word)
{
    size_t distance = suggest_distance(self->asked, word);
    // A word begun but not finished is near as well.
    size_t len = strlen(self->asked);
    if (len >= 2 && strncmp(word, self->asked, len) == 0) distance = min(distance, 1);
    size_t near = (strlen(word) + 2) / 3;
    if (distance <= near && distance < self->distance) {
        self->best = word;
        self->distance = distance;
    }
}
