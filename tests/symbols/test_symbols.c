// Protects: names come from the file that was recorded and from no other, what is known of a module
// is said, and no file, however broken, ends the program.
#include "symbols/symbols.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// This program, as a recording would name it.
struct own {
    char path[PATH_MAX];
    uint8_t id[64];
    size_t id_size;
    uintptr_t base;
};

static void find_id(struct own *self, const char *notes, size_t size)
{
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes, sizeof note);
        size_t name = (note.n_namesz + 3) & ~3u;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_descsz <= sizeof self->id) {
            memcpy(self->id, notes + sizeof note + name, note.n_descsz);
            self->id_size = note.n_descsz;
            return;
        }
        size_t all = sizeof note + name + ((note.n_descsz + 3) & ~3u);
        if (all > size) return;
        notes += all;
        size -= all;
    }
}

static int look_at_first(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    struct own *self = context;
    self->base = info->dlpi_addr;
    for (size_t i = 0; i < info->dlpi_phnum && self->id_size == 0; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_NOTE) continue;
        find_id(self, (const char *)(info->dlpi_addr + header->p_vaddr), header->p_memsz);
    }
    return 1;
}

static struct own own;

static int find_own(void **state)
{
    (void)state;
    ssize_t len = readlink("/proc/self/exe", own.path, sizeof own.path - 1);
    dl_iterate_phdr(look_at_first, &own);
    return len > 0 && own.id_size > 0 ? 0 : -1;
}

// A return address in this function, in the file's own terms.
static __attribute__((noinline)) uint64_t offset_here(void)
{
    return (uintptr_t)__builtin_return_address(0) - own.base;
}

struct answer {
    struct symbols *symbols;
    const struct symbols_knowledge *knowledge;
    struct symbols_name name;
};

static struct answer ask(const struct symbols_options *options, const char *path, const uint8_t *id,
                         size_t id_size, uint64_t offset)
{
    struct answer answer = {.symbols = symbols_create(options)};
    assert_non_null(answer.symbols);
    struct symbols_module module = {.path = path, .build_id = id, .build_id_size = id_size};
    size_t index;
    assert_int_equal(symbols_add_module(answer.symbols, &module, &index), 0);
    answer.knowledge = symbols_knowledge(answer.symbols, index);
    assert_int_equal(answer.knowledge->file, SYMBOLS_FILE_UNSEEN);
    assert_int_equal(symbols_resolve(answer.symbols, index, &offset, 1, &answer.name), 0);
    return answer;
}

static void its_own_functions_are_named(void **state)
{
    (void)state;
    for (int in_process = 0; in_process < 2; in_process++) {
        struct symbols_options options = {.no_debuginfod = true, .in_process = in_process != 0};
        struct answer answer = ask(&options, own.path, own.id, own.id_size, offset_here());
        unsigned line = __LINE__ - 1;
        assert_int_equal(answer.knowledge->file, SYMBOLS_FILE_FOUND);
        assert_int_equal(answer.knowledge->source, SYMBOLS_DWARF);
        assert_int_equal(answer.knowledge->end, SYMBOLS_COMPLETE);
        assert_string_equal(answer.knowledge->main_path, own.path);
        assert_int_equal(answer.name.count, 1);
        assert_string_equal(answer.name.lines[0].function, __func__);
        assert_non_null(strstr(answer.name.lines[0].file, "test_symbols.c"));
        assert_int_equal(answer.name.lines[0].line, line);
        assert_false(answer.name.lines[0].is_inlined);
        symbols_destroy(answer.symbols);
    }
}

static void another_build_id_means_no_names(void **state)
{
    (void)state;
    uint8_t id[64];
    memcpy(id, own.id, own.id_size);
    id[own.id_size - 1] ^= 1;
    struct symbols_options options = {.no_debuginfod = true};
    struct answer answer = ask(&options, own.path, id, own.id_size, offset_here());
    assert_int_equal(answer.knowledge->file, SYMBOLS_FILE_DIFFERS);
    assert_int_equal(answer.knowledge->source, SYMBOLS_NOTHING);
    assert_int_equal(answer.name.count, 0);
    symbols_destroy(answer.symbols);
}

static void without_a_build_id_the_file_is_taken_and_called_unverified(void **state)
{
    (void)state;
    struct symbols_options options = {.no_debuginfod = true};
    struct answer answer = ask(&options, own.path, NULL, 0, offset_here());
    assert_int_equal(answer.knowledge->file, SYMBOLS_FILE_UNVERIFIED);
    assert_string_equal(answer.name.lines[0].function, __func__);
    symbols_destroy(answer.symbols);
}

static void what_is_no_module_has_no_names(void **state)
{
    (void)state;
    char folder[] = "/tmp/mete-symbols-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char fifo[64];
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const struct {
        const char *path;
        enum symbols_file file;
    } rows[] = {
        {"/nonexistent/libfoo.so", SYMBOLS_FILE_MISSING},
        {"[vdso]", SYMBOLS_FILE_NONE},
        {"linux-vdso.so.1", SYMBOLS_FILE_NONE},
        {"", SYMBOLS_FILE_NONE},
        {"/etc/passwd", SYMBOLS_FILE_BAD},
        {"/dev/null", SYMBOLS_FILE_BAD},
        {"/tmp", SYMBOLS_FILE_BAD},
        {fifo, SYMBOLS_FILE_BAD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct symbols_options options = {.no_debuginfod = true};
        struct answer answer = ask(&options, rows[i].path, own.id, own.id_size, 0x1234);
        assert_int_equal(answer.knowledge->file, rows[i].file);
        assert_int_equal(answer.knowledge->end, SYMBOLS_COMPLETE);
        assert_int_equal(answer.name.count, 0);
        assert_string_equal(answer.knowledge->main_path, "");
        symbols_destroy(answer.symbols);
    }
    unlink(fifo);
    rmdir(folder);
}

static void offsets_outside_of_code_have_no_names(void **state)
{
    (void)state;
    const uint64_t offsets[] = {0, 1, 64, UINT64_MAX, UINT64_MAX / 2, offset_here()};
    struct symbols_name names[6];
    struct symbols_options options = {.no_debuginfod = true};
    struct symbols *symbols = symbols_create(&options);
    struct symbols_module module = {own.path, own.id, own.id_size};
    size_t index;
    assert_int_equal(symbols_add_module(symbols, &module, &index), 0);
    assert_int_equal(symbols_resolve(symbols, index, offsets, 6, names), 0);
    for (size_t i = 0; i < 5; i++) assert_int_equal(names[i].count, 0);
    assert_int_equal(names[5].count, 1);
    symbols_destroy(symbols);
}

static void strings_are_interned_and_outlive_later_questions(void **state)
{
    (void)state;
    uint64_t offset = offset_here();
    const uint64_t offsets[] = {offset, offset, offset + 1};
    struct symbols_name names[3];
    struct symbols_name again[3];
    struct symbols_options options = {.no_debuginfod = true};
    struct symbols *symbols = symbols_create(&options);
    struct symbols_module module = {own.path, own.id, own.id_size};
    size_t index;
    assert_int_equal(symbols_add_module(symbols, &module, &index), 0);
    assert_int_equal(symbols_resolve(symbols, index, offsets, 3, names), 0);
    assert_int_equal(symbols_resolve(symbols, index, offsets, 3, again), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(names[i].lines[0].function, names[0].lines[0].function);
        assert_ptr_equal(again[i].lines[0].function, names[0].lines[0].function);
    }
    assert_int_equal(symbols_resolve(symbols, index, NULL, 0, NULL), 0);
    assert_int_equal(symbols_knowledge(symbols, index)->source, SYMBOLS_DWARF);
    symbols_destroy(symbols);
    symbols_destroy(NULL);
}

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static uint8_t *read_own(size_t *size_out)
{
    FILE *file = fopen(own.path, "r");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    *size_out = size;
    return bytes;
}

// This program's file with something wrong in it: cut off, or with words overwritten.
static void a_damaged_file_costs_names_and_nothing_else(void **state)
{
    (void)state;
    char folder[] = "/tmp/mete-symbols-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    snprintf(path, sizeof path, "%s/damaged", folder);
    size_t size;
    uint8_t *bytes = read_own(&size);
    uint8_t *damaged = malloc(size);
    assert_non_null(damaged);
    const uint64_t offset = offset_here();
    unsigned seed = 3;
    for (int round = 0; round < 60; round++) {
        memcpy(damaged, bytes, size);
        size_t left = size;
        if (round % 3 == 0) {
            left = size * (size_t)round / 60;
        } else {
            // From program headers, from anywhere, from section headers.
            size_t places[] = {512, size, 4096};
            for (int i = 0; i < 1 << (round % 8); i++) {
                seed = seed * 1664525 + 1013904223;
                size_t place = (seed >> 4) % places[round % 3];
                if (round % 3 == 2) place = size - 1 - place;
                damaged[place] = (uint8_t)(seed >> 24);
            }
        }
        write_file(path, damaged, left);
        struct symbols_options options = {.no_debuginfod = true, .module_seconds_max = 10};
        symbols_destroy(ask(&options, path, NULL, 0, offset).symbols);
    }
    free(damaged);
    free(bytes);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_own_functions_are_named),
        cmocka_unit_test(another_build_id_means_no_names),
        cmocka_unit_test(without_a_build_id_the_file_is_taken_and_called_unverified),
        cmocka_unit_test(what_is_no_module_has_no_names),
        cmocka_unit_test(offsets_outside_of_code_have_no_names),
        cmocka_unit_test(strings_are_interned_and_outlive_later_questions),
        cmocka_unit_test(a_damaged_file_costs_names_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, find_own, NULL);
}
