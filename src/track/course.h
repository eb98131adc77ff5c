// Course: the process's live bytes over time, their peak, and the time that sites go by.
//
// While one thread alone has been counted, what is live is exact at every moment, and so is the
// peak. Later each thread keeps up to a slack of its own before it adds to what all share, so that
// the peak is right within max(1 %, threads * 4 KiB).
//
// A peak is noted when it is over: by the free that ends it. It only raises `peak_count`: each row
// notes what was live then at its next event (see struct record_row). The clock is divided into
// intervals: RECORD_TIMELINE_MAX points of the whole process, and one snapshot of the rows for
// eight points. When the points are full, every other one goes and the intervals double; so there
// are never more than RECORD_SNAPSHOTS snapshots.
#pragma once

#include "track/recorder.h"

#include <stdatomic.h>

// How often the interval has doubled, and how many snapshots of that length are over.
static inline uint32_t course_epoch(uint32_t shift, uint32_t snapshots)
{
    return shift << 8 | snapshots;
}

#define COURSE_MS_MAX (UINT64_C(1) << 40) // 34 years

struct course {
    _Atomic uint64_t now_ms;     // the clock when an event last read it
    _Atomic uint32_t peak_count; // as in struct record_process
    _Atomic int64_t peak_bytes;
    _Atomic uint32_t epoch;      // course_epoch() of what is over
    _Atomic uint64_t next_ms;    // when the running point ends
    _Atomic bool is_shared;      // more than one thread has been counted
    uint32_t shift;              // under the recorder's lock
    _Atomic int64_t first_bytes; // by the first thread while it was alone: it alone writes these
    _Atomic int64_t first_blocks;
    _Atomic int64_t shared_bytes; // by all others, and by the first later
    _Atomic int64_t shared_blocks;
    _Atomic uint32_t threads; // that are alive
    struct held_lock peak_lock;
};
extern struct course course;

// What one thread has not yet added.
struct course_share {
    int64_t bytes;
    int64_t blocks;
    bool is_first;
    bool is_nobodys; // what is added to it is not live
};

void course_begin(void);

// Another thread begins; `share` is its own. A thread ends.
void course_enter(struct course_share *share);
void course_leave(struct course_share *share);

// The calling thread has left whatever it did here for good.
void course_abandon(void);

// The same for whom has no share. A new peak may go unnoticed: none is exact any more.
void course_add_bare(uint64_t now_ms, int64_t bytes, int64_t blocks);

// Where other threads count too.
COLD void course_add_shared(struct course_share *share, uint64_t now_ms, int64_t bytes,
                            int64_t blocks);

// What is live has been more than ever.
NOINLINE void course_end_peak(uint64_t peak_ms);

// The same where other threads count too, if it has.
void course_look_at_shared_peak(uint64_t grown_ms);

static inline bool course_is_alone(const struct course_share *share)
{
    return share->is_first && !atomic_load_explicit(&course.is_shared, memory_order_relaxed);
}

// By its one writer: no locked instruction, but one, which no handler can come between.
static inline void course_add_alone(_Atomic int64_t *self, int64_t value)
{
    __asm__("addq %1, %0" : "+m"(*self) : "er"(value) : "cc");
}

// A block of the calling thread becomes live, or ceases to be.
static inline void course_add(struct course_share *share, uint64_t now_ms, int64_t bytes,
                              int64_t blocks)
{
    if (UNLIKELY(!course_is_alone(share))) {
        course_add_shared(share, now_ms, bytes, blocks);
        return;
    }
    course_add_alone(&course.first_bytes, bytes);
    course_add_alone(&course.first_blocks, blocks);
}

// Before what is live becomes less; it has grown last at `grown_ms`. Peaks are noted here alone: as
// long as it grows, the peak is what is live.
static inline void course_look_at_peak(const struct course_share *share, uint64_t grown_ms)
{
    if (UNLIKELY(!course_is_alone(share))) {
        course_look_at_shared_peak(grown_ms);
        return;
    }
    int64_t bytes = atomic_load_explicit(&course.first_bytes, memory_order_relaxed);
    if (UNLIKELY(bytes > atomic_load_explicit(&course.peak_bytes, memory_order_relaxed))) {
        course_end_peak(grown_ms);
    }
}

// The points up to now, when some are due. Cheap otherwise.
COLD void course_tick(uint64_t now_ms);

// Reads the clock.
static inline uint64_t course_now(void)
{
    // Never back, and never past what intervals can be told in: a program may have its own clock.
    uint64_t now_ms = recorder_now_ms();
    uint64_t last_ms = atomic_load_explicit(&course.now_ms, memory_order_relaxed);
    if (UNLIKELY(now_ms < last_ms || now_ms > COURSE_MS_MAX)) return last_ms;
    atomic_store_explicit(&course.now_ms, now_ms, memory_order_relaxed);
    return now_ms;
}

static inline void course_look(uint64_t now_ms)
{
    if (UNLIKELY(now_ms >= atomic_load_explicit(&course.next_ms, memory_order_relaxed))) {
        course_tick(now_ms);
    }
}

// At the end: the last figures.
void course_end(void);
