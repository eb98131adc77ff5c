#include "symbols/elf_image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16 };

// Beside the plan's sections: a null one before them, that of their names behind.
enum { OTHERS = 2 };

static const char names_section[] = ".shstrtab";

static uint64_t align(uint64_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static uint64_t names_size(const struct elf_image_plan *plan)
{
    uint64_t size = 1 + sizeof names_section; // the first name is empty
    for (size_t i = 0; i < plan->count; i++) size += strlen(plan->names[i]) + 1;
    return size;
}

// Writes a name at the end of those that are there; where it is among them.
static Elf64_Word add_name(uint8_t *names, uint64_t *end, const char *name)
{
    const Elf64_Word place = (Elf64_Word)*end;
    memcpy(names + place, name, strlen(name) + 1);
    *end += strlen(name) + 1;
    return place;
}

static void write_headers(const struct elf_image_plan *plan, const uint64_t *places,
                          uint64_t names_place, uint8_t *image)
{
    const size_t count = plan->count + OTHERS;
    const Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_DYN,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_shoff = sizeof header,
        .e_ehsize = sizeof header,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = (Elf64_Half)count,
        .e_shstrndx = (Elf64_Half)(count - 1),
    };
    memcpy(image, &header, sizeof header);
    Elf64_Shdr sections[ELF_IMAGE_SECTIONS_MAX + OTHERS] = {{.sh_type = SHT_NULL}};
    uint64_t end = 1;
    for (size_t i = 0; i < plan->count; i++) {
        sections[i + 1] = (Elf64_Shdr){
            .sh_name = add_name(image + names_place, &end, plan->names[i]),
            .sh_type = plan->sizes[i] > 0 ? SHT_PROGBITS : SHT_NULL,
            .sh_offset = places[i],
            .sh_size = plan->sizes[i],
            .sh_addralign = 1,
        };
    }
    sections[count - 1] = (Elf64_Shdr){
        .sh_name = add_name(image + names_place, &end, names_section),
        .sh_type = SHT_STRTAB,
        .sh_offset = names_place,
        .sh_size = end,
        .sh_addralign = 1,
    };
    memcpy(image + sizeof header, sections, count * sizeof *sections);
}

int elf_image_make(const struct elf_image_plan *plan, uint64_t *places_out, uint8_t **image_out,
                   uint64_t *size_out)
{
    if (plan->count > ELF_IMAGE_SECTIONS_MAX) return -ENODATA;
    uint64_t end = sizeof(Elf64_Ehdr) + (plan->count + OTHERS) * sizeof(Elf64_Shdr);
    for (size_t i = 0; i < plan->count; i++) {
        places_out[i] = align(end);
        if (places_out[i] > plan->size_max || plan->sizes[i] > plan->size_max - places_out[i]) {
            return -ENODATA;
        }
        end = places_out[i] + plan->sizes[i];
    }
    const uint64_t names_place = align(end);
    const uint64_t size = names_place + names_size(plan);
    uint8_t *image = calloc(1, size);
    if (!image) return -ENOMEM;
    write_headers(plan, places_out, names_place, image);
    *image_out = image;
    *size_out = size;
    return 0;
}
