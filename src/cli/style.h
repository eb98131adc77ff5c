// Style: how a report looks where it goes: colour and block letters only where they can be shown.
// Belongs to the command line.
#pragma once

#include "report/line.h"

#include <stdbool.h>
#include <stdio.h>

struct report_style style_of(FILE *out, bool is_exact);
