// Pages: address space and its memory, from the kernel. All addresses and sizes are page multiples.
// Only want of memory (or of mappings) is a result; any other refusal is a bug of ours and panics.
// Thread-safe; nothing here takes a lock or touches errno.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE ((size_t)1 << PAGE_SHIFT)

// Private anonymous memory, readable, writable, zero, not resident until touched. NULL when none.
void *pages_map(size_t size);

// The same at a multiple of `align`, a power of two above the page size.
void *pages_map_aligned(size_t size, size_t align);

// Gives address space back. False when the kernel would need more mappings than it allows
// (a hole in the middle of one splits it): the memory is then purged instead, and stays ours.
bool pages_unmap(void *address, size_t size);

// The bytes become zero and stop being resident; the address space stays.
void pages_purge(void *address, size_t size);

// Makes whole pages writable without a fault, at once, which is cheaper than a fault for each.
// False: the kernel is older than 5.14; or, where they are a file's, its file system has no room,
// and a touch would be a SIGBUS.
bool pages_populate(void *address, size_t size);

// Large pages would be welcome there; the kernel gives them or not.
void pages_advise_huge(void *address, size_t size);

// Will be zero in a forked child, but not in one that shares this memory. False: the kernel is
// older than 4.14.
bool pages_wipe_on_fork(void *address, size_t size);

// Whether the kernel has the range in one mapping; false also when a part of it is not mapped.
bool pages_are_one_mapping(void *address, size_t size);

// Moves the memory of private anonymous pages over untouched ones mapped at `target`; the old
// addresses stay mapped and read as zero.
enum pages_moved {
    PAGES_MOVED,
    PAGES_STAYED,      // the kernel is older than 5.7, or the range is made of several mappings
    PAGES_TARGET_LOST, // they stayed, and what stands at target now may be anybody's: let it be
};
enum pages_moved pages_move(void *address, size_t size, void *target);

// Makes a mapping that pages_map made alone longer or shorter in place. False: nothing changed.
bool pages_remap(void *address, size_t old_size, size_t new_size);

// Moves one over the `new_size` bytes mapped at `target`, which it replaces, and makes it that
// long.
enum pages_moved pages_remap_to(void *address, size_t old_size, size_t new_size, void *target);

// Changes what may be done there, as PROT_READ and its like in sys/mman.h say. False: the kernel
// refuses.
bool pages_protect(void *address, size_t size, int protection);

// Whether the page that the address lies in can be read just now. Any address may be asked.
bool pages_are_readable(uintptr_t address);
