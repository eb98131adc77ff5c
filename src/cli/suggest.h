// Suggest: "did you mean". The nearest known word to one that is not known.
// Words count as near when a third of their letters or fewer were mistyped; swapped neighbours
// count as one slip. Belongs to the command line; pure functions.
#pragma once

#include <stddef.h>

struct suggest {
    const char *asked;
    const char *best; // NULL while nothing near was seen
    size_t distance;  // of best
};

struct suggest suggest_for(const char *asked);

// Offers one known word; it is borrowed as long as *self is used.
void suggest_offer(struct suggest *self, const char *word);

// The number of single-letter slips between two words; words of more than 31 bytes are far from
// all.
size_t suggest_distance(const char *a, const char *b);
