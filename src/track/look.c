#include "track/look.h"

#include "os/process.h"
#include "track/own_code.h"

void look_forget(struct look *self)
{
    self->is_ready = false;
    self->running_at = 0;
}

// Whether who looked was left for good, too: its frames were where ours are.
static bool is_gone(const struct look *self, uintptr_t here)
{
    const struct stack_bounds *own = &self->capture.bounds;
    return here >= self->running_at && stack_bounds_hold(own, here) &&
           stack_bounds_hold(own, self->running_at) && !process_is_on_signal_stack(NULL);
}

// Whether who is busy called what runs now.
static bool is_called_by(const struct capture *capture, uintptr_t busy_at)
{
    for (uint32_t i = 0; i < capture->depth; i++) {
        const struct capture_frame *frame = &capture->frames[i];
        if (frame->slot < busy_at && own_code_holds(frame->address)) return true;
    }
    return false;
}

bool look_is_abandoned(struct look *self, uintptr_t busy_at)
{
    const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (self->running_at && !is_gone(self, here)) return false;
    self->running_at = here;
    struct capture *capture = &self->capture;
    if (!self->is_ready) capture_init(capture);
    self->is_ready = true;
    capture_take(capture);
    self->running_at = 0;
    if (is_called_by(capture, busy_at)) return false;
    if (capture->end == RECORD_END_COMPLETE) return true;
    if (capture->end == RECORD_END_SIGNAL || capture->depth == 0) return false;
    uintptr_t outermost = capture->frames[0].slot;
    return outermost > busy_at && stack_bounds_hold(&capture->bounds, busy_at) &&
           stack_bounds_hold(&capture->bounds, outermost);
}
