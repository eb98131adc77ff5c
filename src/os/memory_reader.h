// Memory reader: one way to look at memory, whoever's it is. Whatever walks or resolves a heap
// reads through it, so the same code serves the process itself and a tool outside. Readers are
// plain values, stateless between calls, usable from any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct memory_reader {
    // Copies `size` bytes at `address` to `out`: 0, or -errno when any of them cannot be read.
    int (*read)(const struct memory_reader *self, uintptr_t address, void *out, size_t size);
    int pid; // of the process looked at; unused by the own-process reader
};

// This process, by plain loads: only for addresses that are known to be mapped (the heap's
// metadata).
struct memory_reader memory_reader_own(void);

// Any process that the kernel lets us read (also this one), by process_vm_readv: bad addresses give
// -EFAULT, never a signal.
struct memory_reader memory_reader_process(int pid);
