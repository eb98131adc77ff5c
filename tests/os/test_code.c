// Protects: every address of loaded code leads to its module and to unwind information that can be
// read; any other address to none.
#include "os/code.h"

#include "os/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>

static struct code_module expect_module(const void *address)
{
    struct code_module module;
    assert_true(code_find_module((uintptr_t)address, &module));
    assert_in_range((uintptr_t)address, module.start, module.end - 1);
    assert_in_range(module.search_table, module.start, module.end - 1);
    assert_in_range(module.search_table, module.unwind_start, module.unwind_end - 1);
    for (uintptr_t at = module.unwind_start; at < module.unwind_end; at += PAGE_SIZE) {
        assert_true(pages_are_readable(at));
    }
    return module;
}

static void code_of_program_and_libraries_is_found(void **state)
{
    (void)state;
    struct code_module own = expect_module((const void *)(uintptr_t)expect_module);
    struct code_module libc = expect_module((const void *)(uintptr_t)&gnu_get_libc_version);
    assert_int_not_equal(own.start, libc.start);
    Dl_info info;
    assert_int_not_equal(dladdr((const void *)(uintptr_t)&gnu_get_libc_version, &info), 0);
    assert_int_equal(libc.start, (uintptr_t)info.dli_fbase);
    assert_int_equal(libc.bias, libc.link_map->l_addr);
    assert_string_equal(libc.link_map->l_name, info.dli_fname);
}

static void the_kernels_own_module_is_found(void **state)
{
    (void)state;
    const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (vdso) (void)expect_module(vdso);
}

static void what_is_no_modules_code_is_not_found(void **state)
{
    (void)state;
    struct code_module module = {.start = 1};
    int local;
    errno = 0;
    assert_false(code_find_module((uintptr_t)&local, &module));
    assert_false(code_find_module(0, &module));
    assert_false(code_find_module(UINTPTR_MAX, &module));
    void *page = pages_map(PAGE_SIZE);
    assert_false(code_find_module((uintptr_t)page, &module));
    assert_int_equal(module.start, 1); // untouched
    assert_int_equal(errno, 0);
    (void)pages_unmap(page, PAGE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_of_program_and_libraries_is_found),
        cmocka_unit_test(the_kernels_own_module_is_found),
        cmocka_unit_test(what_is_no_modules_code_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
