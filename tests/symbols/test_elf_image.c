// Protects: what is made of a plan is an ELF file that libelf reads as planned, of no more than it
// may take.
#include "symbols/elf_image.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 3 };

static const char *const names[COUNT] = {".first", ".missing", ".last"};
static const uint64_t sizes[COUNT] = {5, 0, 100};

static void libelf_finds_the_sections(void **state)
{
    (void)state;
    const struct elf_image_plan plan = {names, sizes, COUNT, 1 << 20};
    uint64_t places[COUNT];
    uint8_t *image = NULL;
    uint64_t size = 0;
    assert_int_equal(elf_image_make(&plan, places, &image, &size), 0);
    memset(image + places[0], 'a', sizes[0]);
    memset(image + places[2], 'b', sizes[2]);

    assert_int_not_equal(elf_version(EV_CURRENT), EV_NONE);
    Elf *elf = elf_memory((char *)image, size);
    size_t index;
    assert_non_null(elf);
    assert_int_equal(elf_getshdrstrndx(elf, &index), 0);
    size_t found = 0;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        assert_non_null(gelf_getshdr(section, &header));
        const char *name = elf_strptr(elf, index, header.sh_name);
        for (size_t i = 0; i < COUNT; i++) {
            if (strcmp(name, names[i]) != 0) continue;
            found++;
            assert_int_equal(header.sh_size, sizes[i]);
            assert_int_equal(header.sh_type, sizes[i] > 0 ? SHT_PROGBITS : SHT_NULL);
            const Elf_Data *data = sizes[i] > 0 ? elf_getdata(section, NULL) : NULL;
            if (data) assert_int_equal(((const char *)data->d_buf)[sizes[i] - 1], i ? 'b' : 'a');
        }
    }
    assert_int_equal(found, COUNT);
    elf_end(elf);
    free(image);
}

static void what_would_be_too_large_is_not_made(void **state)
{
    (void)state;
    const uint64_t most = UINT64_C(1) << 20;
    uint64_t places[COUNT];
    uint8_t *image = NULL;
    uint64_t size = 0;
    const uint64_t too_large[][COUNT] = {
        {most, 0, 0},
        {most / 2, most / 2, most / 2},
        {0, 0, UINT64_MAX},
        {UINT64_MAX, UINT64_MAX, 1},
    };
    for (size_t i = 0; i < sizeof too_large / sizeof *too_large; i++) {
        const struct elf_image_plan plan = {names, too_large[i], COUNT, most};
        assert_int_equal(elf_image_make(&plan, places, &image, &size), -ENODATA);
        assert_null(image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libelf_finds_the_sections),
        cmocka_unit_test(what_would_be_too_large_is_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
