// Reclaim: memory goes back to the OS from a process that no longer calls us.
// Whoever frees much says so; when enough is due, a short-lived helper thread sleeps a little, so
// that what is only swapped for something else is left alone, returns what has rested since, and
// ends. Thread-safe.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Whether there may be a helper, and how long memory rests first. Off until configured.
void reclaim_configure(bool use_helper, unsigned delay_ms);

// About `bytes` more became free inside spans, in holes between blocks in use.
void reclaim_add(size_t bytes);

// `dirty_bytes` are in free runs now: starts the helper if that, with the holes, is worth it.
void reclaim_consider(size_t dirty_bytes);

// Returns the pages between blocks now. Bytes returned.
size_t reclaim_holes(void);

// Whoever needs the process to have no thread but those that its program made: ends the helper and
// lets none come until resumed. Other threads may call the heap meanwhile.
void reclaim_pause(void);
void reclaim_resume(void);

// The same before a fork: ends the helper, and does its work at once, so that none need come again.
// Only once a second: else one comes when more is freed. A lone thread in a handler that
// interrupted the heap may not do so: then the helper waits for the heap's lock, holding nothing.
void reclaim_finish(void);

void reclaim_fork_child(void);
