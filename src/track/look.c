#include "track/look.h"

void look_forget(struct look *self)
{
    self->is_ready = false;
    self->is_running = false;
}

// Whether who is busy called what runs now.
static bool is_called_by(const struct capture *capture, uintptr_t busy_at)
{
    for (uint32_t i = 0; i < capture->depth; i++) {
        const struct capture_frame *frame = &capture->frames[i];
        if (frame->slot < busy_at && capture_is_own(frame->address)) return true;
    }
    return false;
}

bool look_is_abandoned(struct look *self, uintptr_t busy_at)
{
    if (self->is_running) return false;
    self->is_running = true;
    struct capture *capture = &self->capture;
    if (!self->is_ready) capture_init(capture);
    self->is_ready = true;
    capture_take(capture);
    self->is_running = false;
    if (is_called_by(capture, busy_at)) return false;
    if (capture->end == RECORD_END_COMPLETE) return true;
    if (capture->end == RECORD_END_SIGNAL || capture->depth == 0) return false;
    uintptr_t outermost = capture->frames[0].slot;
    return outermost > busy_at && stack_bounds_hold(&capture->bounds, busy_at) &&
           stack_bounds_hold(&capture->bounds, outermost);
}
