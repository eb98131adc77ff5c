#include "cli/style.h"

#include "report/letters.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct report_style style_of(FILE *out, bool is_exact)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return (struct report_style){
        .has_colour = isatty(fileno(out)) && !(no_colour && *no_colour) && terminal &&
                      strcmp(terminal, "dumb") != 0,
        .has_unicode = letters_are_unicode(),
        .is_exact = is_exact,
    };
}
