#include "os/code.h"

#include "base/align.h"
#include "os/pages.h"

#include <dlfcn.h>
#include <elf.h>
#include <string.h>
#include <sys/auxv.h>

// Of one module, to find memory that can be read where its program headers do not say (1 GiB).
enum { PROBES_MAX = 1 << 18 };

static bool lies_within(uintptr_t address, uintptr_t start, uintptr_t end)
{
    return address >= start && address < end;
}

// Those in its first page.
static struct code_headers headers_at_start(uintptr_t start)
{
    const Elf64_Ehdr *file = (const Elf64_Ehdr *)start;
    if (!pages_are_readable(start)) return (struct code_headers){0};
    if (memcmp(file->e_ident, ELFMAG, SELFMAG) != 0) return (struct code_headers){0};
    bool is_within = file->e_phentsize == sizeof(Elf64_Phdr) && file->e_phoff <= PAGE_SIZE &&
                     file->e_phoff + file->e_phnum * sizeof(Elf64_Phdr) <= PAGE_SIZE;
    if (!is_within) return (struct code_headers){0};
    return (struct code_headers){(const Elf64_Phdr *)(start + file->e_phoff), file->e_phnum};
}

// The program's own, which the kernel tells.
static struct code_headers headers_of_program(void)
{
    struct code_headers headers = {(const Elf64_Phdr *)getauxval(AT_PHDR), getauxval(AT_PHNUM)};
    uintptr_t last = (uintptr_t)(headers.first + headers.count) - 1;
    bool is_there = headers.count > 0 && pages_are_readable((uintptr_t)headers.first) &&
                    last - (uintptr_t)headers.first < PAGE_SIZE && pages_are_readable(last);
    return is_there ? headers : (struct code_headers){0};
}

static uintptr_t bias_of_program(const struct code_headers *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (headers->first[i].p_type != PT_PHDR) continue;
        return (uintptr_t)headers->first - headers->first[i].p_vaddr;
    }
    return UINTPTR_MAX;
}

struct code_headers code_headers(const struct code_module *module)
{
    struct code_headers program = headers_of_program();
    // A library may have no bias either.
    bool is_program = module->bias == bias_of_program(&program) &&
                      code_headers_segment(&program, module->bias, module->search_table, 1);
    if (is_program) return program;
    return headers_at_start(module->start);
}

const Elf64_Phdr *code_headers_segment(const struct code_headers *self, uintptr_t bias,
                                       uintptr_t start, size_t size)
{
    for (size_t i = 0; i < self->count; i++) {
        const Elf64_Phdr *segment = &self->first[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_R)) continue;
        size_t offset = start - bias - segment->p_vaddr;
        if (offset < segment->p_filesz && size <= segment->p_filesz - offset) return segment;
    }
    return NULL;
}

static bool find_segment(struct code_module *module)
{
    struct code_headers headers = code_headers(module);
    const Elf64_Phdr *segment =
        code_headers_segment(&headers, module->bias, module->search_table, 1);
    if (!segment) return false;
    uintptr_t start = module->bias + segment->p_vaddr;
    uintptr_t end = start + segment->p_filesz;
    bool is_apart = !lies_within(module->search_table, module->start, module->end);
    if (!is_apart && (start < module->start || end > module->end)) return false;
    module->unwind_start = start;
    module->unwind_end = end;
    return true;
}

// The same by asking the kernel page by page: tools that edit files move the program headers.
static void probe_segment(struct code_module *module)
{
    uintptr_t page = align_down(module->search_table, PAGE_SIZE);
    if (!lies_within(page, module->start, module->end) || !pages_are_readable(page)) return;
    uintptr_t start = page;
    uintptr_t end = page + PAGE_SIZE;
    int probes = PROBES_MAX;
    while (end < module->end && probes-- > 0 && pages_are_readable(end)) end += PAGE_SIZE;
    while (start > module->start && probes-- > 0 && pages_are_readable(start - PAGE_SIZE)) {
        start -= PAGE_SIZE;
    }
    module->unwind_start = start;
    module->unwind_end = end < module->end ? end : module->end;
}

bool code_is_loaded(uintptr_t start, uintptr_t end)
{
    struct dl_find_object object;
    return _dl_find_object((void *)start, &object) == 0 &&
           (uintptr_t)object.dlfo_map_start == start && (uintptr_t)object.dlfo_map_end == end;
}

bool code_module_holds(const struct code_module *module, uintptr_t address)
{
    if (!lies_within(address, module->start, module->end)) return false;
    struct dl_find_object object;
    return _dl_find_object((void *)address, &object) == 0 &&
           object.dlfo_link_map == module->link_map &&
           (uintptr_t)object.dlfo_map_start == module->start &&
           (uintptr_t)object.dlfo_eh_frame == module->search_table;
}

bool code_locate(uintptr_t address, struct code_module *module_out)
{
    struct dl_find_object object;
    if (_dl_find_object((void *)address, &object) != 0) return false;
    *module_out = (struct code_module){
        .start = (uintptr_t)object.dlfo_map_start,
        .end = (uintptr_t)object.dlfo_map_end,
        .bias = *(const uintptr_t *)object.dlfo_link_map, // its first member (SVR4's debugger ABI)
        .link_map = object.dlfo_link_map,
        .search_table = (uintptr_t)object.dlfo_eh_frame,
    };
    return true;
}

bool code_find_module(uintptr_t address, struct code_module *module_out)
{
    if (!code_locate(address, module_out)) return false;
    if (module_out->search_table && !find_segment(module_out)) probe_segment(module_out);
    return true;
}
