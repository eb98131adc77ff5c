#include "track/modules.h"

#include "base/text.h"
#include "os/code.h"
#include "os/pages.h"
#include "os/process.h"
#include "track/recorder.h"

#include <elf.h>
#include <link.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

static struct record_module *module_at(uint32_t index)
{
    return recorder_row(RECORD_TABLE_modules, index);
}

static bool covers(const struct record_module *module, uintptr_t pc)
{
    return module->unloaded_ms == 0 && pc - module->start < module->size;
}

// --- build-ids
// --------------------------------------------------------------------------------------

struct bytes {
    const char *start;
    size_t size;
};

// The piece at `offset`; empty when it is not all inside.
static struct bytes piece(struct bytes whole, size_t offset, size_t size)
{
    if (offset > whole.size || size > whole.size - offset) return (struct bytes){0};
    return (struct bytes){whole.start + offset, size};
}

static bool take_build_id(struct bytes notes, struct record_module *module)
{
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= notes.size;) {
        ElfW(Nhdr) note;
        memcpy(&note, notes.start + at, sizeof note);
        size_t name = at + sizeof note;
        size_t content = name + (note.n_namesz + UINT64_C(3)) / 4 * 4;
        struct bytes id = piece(notes, content, note.n_descsz);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && id.start &&
            memcmp(notes.start + name, "GNU", 4) == 0 && id.size <= RECORD_BUILD_ID_MAX) {
            memcpy(module->build_id, id.start, id.size);
            module->build_id_size = (uint32_t)id.size;
            return true;
        }
        at = content + (note.n_descsz + UINT64_C(3)) / 4 * 4;
    }
    return false;
}

static void find_build_id(const struct code_module *code, struct record_module *module)
{
    struct code_headers headers = code_headers(code);
    for (size_t i = 0; i < headers.count; i++) {
        const Elf64_Phdr *segment = &headers.first[i];
        if (segment->p_type != PT_NOTE) continue;
        uintptr_t start = code->bias + segment->p_vaddr;
        size_t size = segment->p_memsz;
        if (!code_headers_segment(&headers, code->bias, start, size)) continue;
        if (take_build_id((struct bytes){(const char *)start, size}, module)) return;
    }
}

// --- rows
// -------------------------------------------------------------------------------------------

static void gone(struct record_module *module)
{
    uint64_t now_ms = recorder_now_ms();
    module->unloaded_ms = now_ms > 0 ? now_ms : 1;
}

// What was loaded by a relative path is taken to be below the folder that the program is in now.
static struct record_text path_of(const struct link_map *map)
{
    static char path[PATH_SIZE]; // under the lock: stacks may be small
    const char *name = map->l_name ? map->l_name : "";
    if (!name[0]) {
        process_program(path, sizeof path);
        return recorder_text(path);
    }
    bool is_relative = name[0] != '/' && memchr(name, '/', strlen(name)); // not so the vDSO's
    if (!is_relative) return recorder_text(name);
    process_directory(path, sizeof path);
    if (!path[0]) return recorder_text(name);
    struct text whole = {path, sizeof path, strlen(path)};
    while (name[0] == '.' && name[1] == '/') name += 2;
    text_add(&whole, "/");
    text_add(&whole, name);
    return recorder_text(path);
}

// Of what was unloaded and is now loaded again, perhaps elsewhere; else a new one.
static struct record_module *row_for(const struct record_module *module, uint32_t *index_out)
{
    uint32_t count = record_writer_count(&recorder.writer, RECORD_TABLE_modules);
    for (uint32_t i = 0; i < count && module->build_id_size > 0; i++) {
        struct record_module *old = module_at(i);
        if (!old->unloaded_ms || old->size != module->size) continue;
        if (old->build_id_size != module->build_id_size ||
            memcmp(old->build_id, module->build_id, module->build_id_size) != 0) {
            continue;
        }
        *index_out = i;
        return old;
    }
    return record_writer_add(&recorder.writer, RECORD_TABLE_modules, index_out);
}

static uint32_t add(const struct code_module *code)
{
    struct record_module found = {
        .base = code->bias,
        .start = code->start,
        .size = code->end - code->start,
    };
    find_build_id(code, &found);
    uint32_t index;
    struct record_module *module = row_for(&found, &index);
    if (!module) return RECORD_NONE;
    bool is_old = module->unloaded_ms != 0;
    found.path = is_old ? module->path : path_of(code->link_map);
    found.loaded_ms = is_old ? module->loaded_ms : recorder_now_ms();
    *module = found;
    if (is_old) return index;
    return record_writer_publish(&recorder.writer, RECORD_TABLE_modules) ? index : RECORD_NONE;
}

static bool is_same(const struct record_module *module, const struct code_module *code)
{
    return module->start == code->start && module->base == code->bias &&
           module->size == code->end - code->start;
}

uint32_t modules_find(uintptr_t pc, uint64_t *offset_out)
{
    *offset_out = pc;
    struct code_module code;
    if (!code_locate(pc, &code)) return RECORD_NONE;
    uint32_t found = RECORD_NONE;
    uint32_t count = record_writer_count(&recorder.writer, RECORD_TABLE_modules);
    for (uint32_t i = 0; i < count && found == RECORD_NONE; i++) {
        if (!covers(module_at(i), pc)) continue;
        if (is_same(module_at(i), &code)) {
            found = i;
        } else {
            gone(module_at(i)); // and nobody has told us
        }
    }
    if (found == RECORD_NONE) found = add(&code);
    if (found != RECORD_NONE) *offset_out = pc - module_at(found)->base;
    return found;
}

uint32_t modules_refresh(void)
{
    uint32_t lost = 0;
    uint32_t count = record_writer_count(&recorder.writer, RECORD_TABLE_modules);
    for (uint32_t i = 0; i < count; i++) {
        struct record_module *module = module_at(i);
        if (module->unloaded_ms) continue;
        if (code_is_loaded(module->start, module->start + module->size)) continue;
        gone(module);
        lost++;
    }
    return lost;
}
