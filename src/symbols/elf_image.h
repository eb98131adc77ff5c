// ELF image: an ELF file in memory with sections that are still to be filled.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { ELF_IMAGE_SECTIONS_MAX = 16 };

struct elf_image_plan {
    const char *const *names;
    const uint64_t *sizes; // a section of none is not there
    size_t count;          // ELF_IMAGE_SECTIONS_MAX at most
    uint64_t size_max;     // of all together
};

// The image, for the caller to free, and where in it each section is: zeroes that take no memory
// before they are touched. 0, -ENOMEM, or -ENODATA when it would be too large
// or has too many.
int elf_image_make(const struct elf_image_plan *plan, uint64_t *places_out, uint8_t **image_out,
                   uint64_t *size_out);
