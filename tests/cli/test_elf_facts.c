#include "cli/elf_facts.h"

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// A small program, all of it: a loader, one library, one symbol.
struct image {
    Elf64_Ehdr header;
    Elf64_Phdr segments[3];
    Elf64_Shdr sections[4];
    Elf64_Dyn dynamic[4];
    Elf64_Sym symbols[3];
    char loader[32];
    char strings[64];
};
#define AT(member) offsetof(struct image, member)
enum { LOAD_ADDRESS = 0x400000 };

static struct image image_make(const char *library, const char *symbol)
{
    struct image image = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_phoff = AT(segments),
                   .e_shoff = AT(sections),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 3,
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 4,
                   .e_shstrndx = 2},
        .segments = {{.p_type = PT_LOAD, .p_vaddr = LOAD_ADDRESS, .p_filesz = sizeof image},
                     {.p_type = PT_INTERP, .p_offset = AT(loader), .p_filesz = sizeof image.loader},
                     {.p_type = PT_DYNAMIC,
                      .p_offset = AT(dynamic),
                      .p_filesz = sizeof image.dynamic}},
        .sections = {{.sh_type = SHT_NULL},
                     {.sh_type = SHT_DYNSYM,
                      .sh_offset = AT(symbols),
                      .sh_size = sizeof image.symbols,
                      .sh_link = 2,
                      .sh_entsize = sizeof(Elf64_Sym)},
                     {.sh_type = SHT_STRTAB,
                      .sh_offset = AT(strings),
                      .sh_size = sizeof image.strings},
                     {.sh_type = SHT_PROGBITS}},
        .dynamic = {{DT_NEEDED, {1}}, {DT_STRTAB, {LOAD_ADDRESS + AT(strings)}}, {DT_NULL, {0}}},
        .symbols = {{0}, {.st_name = 32, .st_info = STB_GLOBAL << 4, .st_shndx = 3}},
        .loader = "/lib64/ld-linux-x86-64.so.2",
    };
    strcpy(image.strings + 1, library);
    strcpy(image.strings + 32, symbol);
    return image;
}

static struct elf_facts facts_of(const void *image, size_t size)
{
    const struct byte_source source = byte_source_of_memory(image, size);
    return elf_facts_read(&source);
}

static struct elf_facts facts_with(const char *library, const char *symbol)
{
    const struct image image = image_make(library, symbol);
    return facts_of(&image, sizeof image);
}

static void an_ordinary_program_is_nothing_but_native(void **state)
{
    (void)state;
    const struct elf_facts facts = facts_with("libc.so.6", "main");
    assert_int_equal(facts.kind, ELF_NATIVE);
    assert_true(facts.has_loader);
    assert_string_equal(facts.loader, "/lib64/ld-linux-x86-64.so.2");
    assert_false(facts.exports_malloc || facts.is_go || facts.is_cxx || facts.is_loader);
    assert_null(facts.allocator);
    assert_null(facts.allocator_library);
    assert_null(facts.sanitizer);
}

static void symbols_tell_allocators_and_sanitizers(void **state)
{
    (void)state;
    assert_true(facts_with("", "malloc").exports_malloc);
    assert_string_equal(facts_with("", "mallctl").allocator, "jemalloc");
    assert_string_equal(facts_with("", "tc_malloc").allocator, "tcmalloc");
    assert_string_equal(facts_with("", "mi_malloc").allocator, "mimalloc");
    assert_string_equal(facts_with("", "__tsan_init").sanitizer, "ThreadSanitizer");
    assert_null(facts_with("", "__asan_init_").sanitizer);
}

static void what_is_wanted_of_others_is_not_what_is_there(void **state)
{
    (void)state;
    struct image image = image_make("", "malloc");
    image.symbols[1].st_shndx = SHN_UNDEF;
    assert_false(facts_of(&image, sizeof image).exports_malloc);
    image = image_make("", "mallctl"); // redis asks for it weakly
    image.symbols[1].st_shndx = SHN_UNDEF;
    assert_null(facts_of(&image, sizeof image).allocator);
    image = image_make("", "__asan_init");
    image.symbols[1].st_shndx = SHN_UNDEF;
    assert_string_equal(facts_of(&image, sizeof image).sanitizer, "AddressSanitizer");
    image.symbols[1].st_info = STB_WEAK << 4;
    assert_null(facts_of(&image, sizeof image).sanitizer);
}

static void a_malloc_that_is_not_dynamic_is_nobody_elses(void **state)
{
    (void)state;
    struct image image = image_make("", "malloc");
    image.sections[1].sh_type = SHT_SYMTAB;
    assert_false(facts_of(&image, sizeof image).exports_malloc);
}

static void libraries_tell_the_same(void **state)
{
    (void)state;
    assert_string_equal(facts_with("libasan.so.8", "").sanitizer, "AddressSanitizer");
    assert_string_equal(facts_with("libjemalloc.so.2", "").allocator_library, "jemalloc");
    assert_true(facts_with("libstdc++.so.6", "").is_cxx);
    struct image image = image_make("ld-linux-x86-64.so.2", "");
    image.dynamic[0].d_tag = DT_SONAME;
    assert_true(facts_of(&image, sizeof image).is_loader);
}

static void a_section_tells_go(void **state)
{
    (void)state;
    struct image image = image_make("", ".go.buildinfo");
    image.sections[3].sh_name = 32;
    assert_true(facts_of(&image, sizeof image).is_go);
    image.sections[3].sh_name = 33;
    assert_false(facts_of(&image, sizeof image).is_go);
}

static void without_a_loader_it_is_static(void **state)
{
    (void)state;
    struct image image = image_make("", "");
    image.segments[1].p_type = PT_NOTE;
    assert_false(facts_of(&image, sizeof image).has_loader);
}

static void others_machines_are_foreign_and_objects_no_programs(void **state)
{
    (void)state;
    struct image image = image_make("", "");
    image.header.e_machine = EM_AARCH64;
    assert_int_equal(facts_of(&image, sizeof image).kind, ELF_FOREIGN);
    assert_int_equal(facts_of(&image, sizeof image).machine, EM_AARCH64);
    image = image_make("", "");
    image.header.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(facts_of(&image, 52).kind, ELF_FOREIGN);
    assert_true(facts_of(&image, 52).is_32_bit);
    image = image_make("", "");
    image.header.e_type = ET_REL;
    assert_int_equal(facts_of(&image, sizeof image).kind, ELF_NONE);
    assert_int_equal(facts_of("#!/bin/sh\n", 10).kind, ELF_NONE);
}

static void a_file_cut_off_anywhere_does_no_harm(void **state)
{
    (void)state;
    const struct image image = image_make("libasan.so.8", "malloc");
    for (size_t size = 0; size < sizeof image; size++) {
        void *copy = malloc(size + 1); // so that a sanitizer sees what is read past it
        assert_non_null(copy);
        memcpy(copy, &image, size);
        (void)facts_of(copy, size);
        free(copy);
    }
}

static void numbers_that_lead_outside_do_no_harm(void **state)
{
    (void)state;
    // Every 4 bytes of the file in turn, at values that overflow sums and products.
    static const uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, UINT32_MAX - 8, UINT32_MAX};
    for (size_t at = 4; at + 4 <= sizeof(struct image); at += 2) {
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            struct image image = image_make("libasan.so.8", "malloc");
            memcpy((char *)&image + at, &values[i], 4);
            (void)facts_of(&image, sizeof image);
        }
    }
}

static void this_program_is_native(void **state)
{
    (void)state;
    struct byte_source source;
    const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(byte_source_of_file(&source, fd), 0);
    const struct elf_facts facts = elf_facts_read(&source);
    assert_int_equal(facts.kind, ELF_NATIVE);
    assert_true(facts.has_loader);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_program_is_nothing_but_native),
        cmocka_unit_test(symbols_tell_allocators_and_sanitizers),
        cmocka_unit_test(what_is_wanted_of_others_is_not_what_is_there),
        cmocka_unit_test(a_malloc_that_is_not_dynamic_is_nobody_elses),
        cmocka_unit_test(libraries_tell_the_same),
        cmocka_unit_test(a_section_tells_go),
        cmocka_unit_test(without_a_loader_it_is_static),
        cmocka_unit_test(others_machines_are_foreign_and_objects_no_programs),
        cmocka_unit_test(a_file_cut_off_anywhere_does_no_harm),
        cmocka_unit_test(numbers_that_lead_outside_do_no_harm),
        cmocka_unit_test(this_program_is_native),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
