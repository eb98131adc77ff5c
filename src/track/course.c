#include "track/course.h"

enum {
    POINT_MS = 10, // 5 s until the first doubling
    POINTS_PER_SNAPSHOT = RECORD_TIMELINE_MAX / RECORD_SNAPSHOTS,
    SLACK_MIN = 4096,  // bytes per thread, as DESIGN has it
    SLACK_SHARE = 100, // or so much of what is live, over all threads
};

struct course course;

// Figures in the file are written by whose turn it is and read at any time: whole, in any order.
static inline uint64_t figure(const uint64_t *self)
{
    return __atomic_load_n(self, __ATOMIC_RELAXED);
}

static inline void set_figure(uint64_t *self, uint64_t value)
{
    __atomic_store_n(self, value, __ATOMIC_RELAXED);
}

static int64_t live_bytes(void)
{
    return atomic_load_explicit(&course.first_bytes, memory_order_relaxed) +
           atomic_load_explicit(&course.shared_bytes, memory_order_relaxed);
}

static int64_t live_blocks(void)
{
    return atomic_load_explicit(&course.first_blocks, memory_order_relaxed) +
           atomic_load_explicit(&course.shared_blocks, memory_order_relaxed);
}

void course_begin(void)
{
    course = (struct course){.next_ms = POINT_MS};
    recorder.process->timeline_interval_ms = POINT_MS;
    recorder.process->snapshot_interval_ms = POINT_MS * POINTS_PER_SNAPSHOT;
}

void course_enter(struct course_share *share)
{
    uint32_t before = atomic_fetch_add_explicit(&course.threads, 1, memory_order_relaxed);
    bool is_shared = atomic_load_explicit(&course.is_shared, memory_order_relaxed);
    *share = (struct course_share){.is_first = before == 0 && !is_shared};
    if (share->is_first) return;
    atomic_store_explicit(&course.is_shared, true, memory_order_relaxed);
    __atomic_store_n(&recorder.process->is_peak_exact, 0, __ATOMIC_RELAXED);
}

// --- the peak
// ---------------------------------------------------------------------------------------

static void set_peak(uint64_t peak_ms, int64_t bytes, int64_t blocks)
{
    struct record_process *process = recorder.process;
    set_figure(&process->peak_bytes, (uint64_t)bytes);
    set_figure(&process->peak_blocks, blocks > 0 ? (uint64_t)blocks : 0);
    set_figure(&process->peak_ms, peak_ms);
    uint32_t count = atomic_load_explicit(&course.peak_count, memory_order_relaxed) + 1;
    __atomic_store_n(&process->peak_count, count, __ATOMIC_RELAXED);
    atomic_store_explicit(&course.peak_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&course.peak_count, count, memory_order_relaxed);
}

static void write_live(void)
{
    int64_t bytes = live_bytes();
    int64_t blocks = live_blocks();
    set_figure(&recorder.process->live_bytes, bytes > 0 ? (uint64_t)bytes : 0);
    set_figure(&recorder.process->live_blocks, blocks > 0 ? (uint64_t)blocks : 0);
}

// The same, and a peak if it is one; it has grown last at `grown_ms`.
static void publish(uint64_t grown_ms)
{
    write_live();
    int64_t bytes = live_bytes();
    if (bytes > atomic_load_explicit(&course.peak_bytes, memory_order_relaxed)) {
        set_peak(grown_ms, bytes, live_blocks());
    }
}

NOINLINE void course_end_peak(uint64_t grown_ms)
{
    set_peak(grown_ms, live_bytes(), live_blocks());
}

// What one thread did while it was alone may be a peak that nobody has noted.
void course_look_at_shared_peak(uint64_t grown_ms)
{
    if (live_bytes() <= atomic_load_explicit(&course.peak_bytes, memory_order_relaxed)) return;
    if (!held_lock_try(&course.peak_lock)) return; // whoever has it is about to note it
    publish(grown_ms);
    held_lock_give(&course.peak_lock);
}

static void publish_locked(uint64_t grown_ms)
{
    held_lock_take(&course.peak_lock);
    publish(grown_ms);
    held_lock_give(&course.peak_lock);
}

static void add(int64_t bytes, int64_t blocks)
{
    atomic_fetch_add_explicit(&course.shared_bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&course.shared_blocks, blocks, memory_order_relaxed);
}

void course_add_bare(uint64_t now_ms, int64_t bytes, int64_t blocks)
{
    // Whoever we interrupted may be about to write a peak: from now on that takes the lock.
    atomic_store_explicit(&course.is_shared, true, memory_order_relaxed);
    __atomic_store_n(&recorder.process->is_peak_exact, 0, __ATOMIC_RELAXED);
    bool is_locked = held_lock_try(&course.peak_lock); // not: perhaps by whom we interrupted
    if (is_locked) publish(now_ms);                    // what ends now
    add(bytes, blocks);
    if (!is_locked) return;
    publish(now_ms);
    held_lock_give(&course.peak_lock);
}

static void add_share(struct course_share *share, uint64_t now_ms)
{
    // What the first thread did while it was alone may be a peak, and now be over.
    if (share->bytes < 0) publish_locked(now_ms);
    add(share->bytes, share->blocks);
    share->bytes = 0;
    share->blocks = 0;
    publish_locked(now_ms);
}

void course_abandon(void)
{
    held_lock_abandon(&course.peak_lock);
}

static int64_t slack(void)
{
    int64_t threads = atomic_load_explicit(&course.threads, memory_order_relaxed);
    int64_t part = live_bytes() / SLACK_SHARE / (threads + 1);
    return part > SLACK_MIN ? part : SLACK_MIN;
}

COLD void course_add_shared(struct course_share *share, uint64_t now_ms, int64_t bytes,
                            int64_t blocks)
{
    if (share->is_nobodys) return;
    share->bytes += bytes;
    share->blocks += blocks;
    int64_t limit = slack();
    if (share->bytes > limit || share->bytes < -limit) add_share(share, now_ms);
}

void course_leave(struct course_share *share)
{
    // What the first thread did alone stays where it is; it writes there no more.
    atomic_store_explicit(&course.is_shared, true, memory_order_relaxed);
    add_share(share, course_now());
    atomic_fetch_sub_explicit(&course.threads, 1, memory_order_relaxed);
}

// --- over time
// --------------------------------------------------------------------------------------

static uint64_t allocations_so_far(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < record_writer_count(&recorder.writer, RECORD_TABLE_threads); i++) {
        const struct record_thread *thread = recorder_row(RECORD_TABLE_threads, i);
        sum += __atomic_load_n(&thread->allocations, __ATOMIC_RELAXED);
    }
    return sum;
}

// Every other point goes.
static void coarsen(void)
{
    for (uint32_t i = 0; i < RECORD_TIMELINE_MAX / 2; i++) {
        struct record_point *point = recorder_row(RECORD_TABLE_timeline, i);
        *point = *(struct record_point *)recorder_row(RECORD_TABLE_timeline, 2 * i + 1);
    }
    record_writer_cut(&recorder.writer, RECORD_TABLE_timeline, RECORD_TIMELINE_MAX / 2);
    recorder.process->timeline_interval_ms *= 2;
    course.shift++;
}

static void add_point(struct record_point point)
{
    uint32_t index;
    struct record_point *row = record_writer_add(&recorder.writer, RECORD_TABLE_timeline, &index);
    if (!row) return; // no room for the first ones: then there are none
    *row = point;
    if (!record_writer_publish(&recorder.writer, RECORD_TABLE_timeline)) return;
    if (index + 1 == RECORD_TIMELINE_MAX) coarsen();
}

void course_tick(uint64_t now_ms)
{
    if (!recorder_try()) return; // whoever adds rows: the next event looks again
    write_live();
    struct record_point point = {
        .live_bytes = figure(&recorder.process->live_bytes),
        .allocations = allocations_so_far(),
    };
    uint64_t next = atomic_load_explicit(&course.next_ms, memory_order_relaxed);
    while (next <= now_ms) {
        add_point(point);
        const uint64_t interval_ms = recorder.process->timeline_interval_ms; // doubled, perhaps
        // None: this is a child that has no recording, and a handler of ours had forked it.
        next = interval_ms > 0 ? next + interval_ms : UINT64_MAX;
    }
    uint32_t points = record_writer_count(&recorder.writer, RECORD_TABLE_timeline);
    atomic_store_explicit(&course.epoch, course_epoch(course.shift, points / POINTS_PER_SNAPSHOT),
                          memory_order_relaxed);
    atomic_store_explicit(&course.next_ms, next, memory_order_relaxed);
    recorder.process->duration_ms = now_ms;
    recorder_give();
}

void course_end(void)
{
    uint64_t now_ms = course_now();
    course_look(now_ms);
    write_live();
    recorder.process->duration_ms = now_ms;
}
