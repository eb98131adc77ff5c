#include "full_unwind.h"

#include "base/attributes.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unwind.h>

enum { FULL_MAX = 4096 };

struct full {
    size_t count;
    uintptr_t addresses[FULL_MAX]; // innermost first
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *argument)
{
    struct full *full = argument;
    uintptr_t address = _Unwind_GetIP(context);
    if (address == 0 || full->count == FULL_MAX) return _URC_END_OF_STACK;
    full->addresses[full->count++] = address;
    return _URC_NO_REASON;
}

static uint32_t node_of(uint32_t parent, uintptr_t address)
{
    uint64_t mixed = (address ^ (uint64_t)parent << 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

static _Noreturn void complain(const struct capture *capture, const struct full *full,
                               const char *what)
{
    (void)fprintf(stderr, "%s: depth %u, unchanged %u, end %d; full %zu\n", what, capture->depth,
                  capture->unchanged, (int)capture->end, full->count);
    for (uint32_t i = 0; i < capture->depth || i < full->count; i++) {
        uintptr_t ours = i < capture->depth ? capture->frames[capture->depth - 1 - i].address : 0;
        uintptr_t theirs = i < full->count ? full->addresses[i] : 0;
        (void)fprintf(stderr, "%3u %16lx %16lx%s\n", i, ours, theirs, ours == theirs ? "" : " !");
    }
    abort();
}

static void fill_nodes(struct capture *capture, const struct full *full)
{
    uint32_t parent = 0;
    for (uint32_t i = 0; i < capture->depth; i++) {
        uint32_t node = node_of(parent, capture->frames[i].address);
        if (i < capture->unchanged && capture->nodes[i] != node) {
            complain(capture, full, "an unchanged frame has a node of another stack");
        }
        capture->nodes[i] = node;
        parent = node;
    }
}

static void compare(const struct capture *capture, const struct full *full,
                    enum record_stack_end end, bool is_whole)
{
    if (full->count > RECORD_STACK_MAX && is_whole) {
        end = RECORD_END_DEPTH;
        is_whole = false;
    }
    if (capture->end != end) complain(capture, full, "it ends for another reason");
    if (capture->depth == 0 || capture->depth > full->count) complain(capture, full, "too deep");
    if (is_whole && capture->depth != full->count) complain(capture, full, "too short");
    if (end == RECORD_END_DEPTH && capture->depth != RECORD_STACK_MAX) {
        complain(capture, full, "not cut off at the limit");
    }
    for (uint32_t i = 1; i < capture->depth; i++) { // 0: both were called from the same function
        if (capture->frames[capture->depth - 1 - i].address != full->addresses[i]) {
            complain(capture, full, "another frame");
        }
    }
}

NOINLINE void expect_full_stack(struct capture *capture, enum record_stack_end end)
{
    static __thread struct full full;
    full.count = 0;
    (void)_Unwind_Backtrace(note_frame, &full);
    capture_take(capture);
    fill_nodes(capture, &full);
    compare(capture, &full, end, true);
    capture_keep(capture);
}

NOINLINE void expect_inner_stack(struct capture *capture, enum record_stack_end end)
{
    static __thread struct full full;
    full.count = 0;
    (void)_Unwind_Backtrace(note_frame, &full);
    capture_take(capture);
    fill_nodes(capture, &full);
    compare(capture, &full, end, false);
    capture_keep(capture);
}
