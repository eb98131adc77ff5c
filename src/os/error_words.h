// Error words: what libc's strerror() says in English of an errno value that a file may give, for
// where libc's own words (and its locale) are not to be had.
#pragma once

// "error" for those that are not known here.
const char *error_words(int error);
