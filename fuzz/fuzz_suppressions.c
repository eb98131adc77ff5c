// Any bytes as a file of suppressions: what comes out is whole, and what is refused names its line.
#include "profile/suppressions.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition) abort();
}

static void check(const struct suppression *one)
{
    require(one->name && one->source && one->line > 0);
    require((one->pattern != NULL) == (one->frames == NULL));
    require(one->frame_count <= SUPPRESSION_FRAMES_MAX);
    for (size_t i = 0; i < one->frame_count; i++) {
        const struct suppression_frame *frame = &one->frames[i];
        require((frame->what == SUPPRESSION_ANY) == (frame->pattern == NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct suppressions list = {0};
    struct suppressions_problem problem = {0};
    const int error =
        suppressions_add(&list, SUPPRESSION_OF_FILE, "a file", (const char *)data, size, &problem);
    require(error == 0 || error == -EINVAL || error == -ENOMEM);
    require(error != -EINVAL || (problem.line > 0 && problem.what));
    for (size_t i = 0; i < list.count; i++) check(&list.all[i]);
    suppressions_deinit(&list);
    return 0;
}
