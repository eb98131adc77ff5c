#include "os/code.h"

#include "base/align.h"
#include "os/pages.h"

#include <dlfcn.h>
#include <elf.h>
#include <string.h>

// Of one module, to find memory that can be read where its program headers do not say (1 GiB).
enum { PROBES_MAX = 1 << 18 };

static bool lies_within(uintptr_t address, uintptr_t start, uintptr_t end)
{
    return address >= start && address < end;
}

// The readable segment that holds the search table, by the program headers, if they lie in the
// first page as linkers write them.
static bool find_segment(struct code_module *module)
{
    if (!pages_are_readable(module->start)) return false;
    const Elf64_Ehdr *file = (const Elf64_Ehdr *)module->start;
    if (memcmp(file->e_ident, ELFMAG, SELFMAG) != 0) return false;
    if (file->e_phentsize != sizeof(Elf64_Phdr) || file->e_phoff > PAGE_SIZE) return false;
    if (file->e_phoff + file->e_phnum * sizeof(Elf64_Phdr) > PAGE_SIZE) return false;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(module->start + file->e_phoff);
    for (unsigned i = 0; i < file->e_phnum; i++) {
        if (segments[i].p_type != PT_LOAD || !(segments[i].p_flags & PF_R)) continue;
        uintptr_t start = module->bias + segments[i].p_vaddr;
        uintptr_t end = start + segments[i].p_filesz;
        if (!lies_within(module->search_table, start, end)) continue;
        if (start < module->start || end > module->end) return false;
        module->unwind_start = start;
        module->unwind_end = end;
        return true;
    }
    return false;
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

bool code_find_module(uintptr_t address, struct code_module *module_out)
{
    struct dl_find_object object;
    if (_dl_find_object((void *)address, &object) != 0) return false;
    struct code_module module = {
        .start = (uintptr_t)object.dlfo_map_start,
        .end = (uintptr_t)object.dlfo_map_end,
        .bias = *(const uintptr_t *)object.dlfo_link_map, // its first member (SVR4's debugger ABI)
        .link_map = object.dlfo_link_map,
        .search_table = (uintptr_t)object.dlfo_eh_frame,
    };
    if (module.search_table && !find_segment(&module)) probe_segment(&module);
    *module_out = module;
    return true;
}
