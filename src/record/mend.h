// Mend: takes out of a copied recording what points nowhere, so that those who use it need not
// look. Its invariants are those that reader.h promises. For the reader alone.
#pragma once

#include "record/reader.h"

void recording_mend(struct recording *self);
