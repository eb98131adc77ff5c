// Protects: who is passed over when a row gets its name, and who is not.
#include "profile/wrappers.h"

#include "profile/pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void stars_stand_for_any_letters(void **state)
{
    (void)state;
    assert_true(pattern_matches("a*c", "abbc"));
    assert_true(pattern_matches("*", ""));
    assert_true(pattern_matches("a?c*", "abc"));
    assert_true(pattern_matches("*::new*", "a::b::new_one"));
    assert_true(pattern_matches("*a*b*c", "xxaxxbxxaxxbc"));
    assert_false(pattern_matches("a*c", "abb"));
    assert_false(pattern_matches("abc", "abcd"));
    assert_false(pattern_matches("a?", "a"));
    assert_false(pattern_matches("", "a"));
}

static void a_word_is_found_anywhere_and_a_pattern_is_the_whole(void **state)
{
    (void)state;
    assert_true(pattern_finds("row", "load_rows"));
    assert_false(pattern_finds("row*", "load_rows"));
    assert_true(pattern_finds("*row*", "load_rows"));
}

static void wrappers_are_known(void **state)
{
    (void)state;
    const char *const names[] = {
        "malloc",
        "strdup",
        "operator new",
        "operator new[]",
        "std::vector<>::push_back",
        "__gnu_cxx::new_allocator<>::allocate",
        "Foo::operator new",
        "g_malloc0",
        "g_strdup_printf",
        "xcalloc",
        "PyMem_RawMalloc",
        "PyObject_Malloc",
        "sqlite3MemMalloc",
        "sqlite3DbMallocRawNN",
        "Perl_safesysmalloc",
        "l_alloc",
        "luaM_realloc_",
        "zmalloc_usable",
        "__rust_alloc",
        "alloc::raw_vec::RawVec<>::reserve_for_push",
        "apr_palloc",
        "ggc_internal_alloc",
        "<alloc::vec::Vec<> as core::clone::Clone>::clone",
        "<u64 as core::fmt::Display>::fmt",
        "<<alloc::sync::Arc<>>::new as core::ops::function::FnOnce<>>::call_once",
        "<&[u8] as std::io::Read>::read_to_end",
        "<T as core::convert::Into<>>::into",
        "<u8 as alloc::vec::spec_from_elem::SpecFromElem>::from_elem",
        "os::malloc",
        "AcquireAlignedMemory",
        "caml_stat_alloc_noexc",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!wrapper_is_function(names[i])) fail_msg("%s is passed over by nobody", names[i]);
    }
}

static void what_has_work_of_its_own_is_none(void **state)
{
    (void)state;
    const char *const names[] = {
        "main",
        "load_rows",
        "malloc_the_great",
        "core::Engine::load",
        "my::std::f",
        "PyList_New",
        "sqlite3BtreeOpen",
        "Perl_newSV",
        "luaH_resize",
        "<rows::Row as core::clone::Clone>::clone",
        "<rows::Row as core::ops::drop::Drop>::drop",
        "<u32 as r::Encode>::encode",
        "<T as r::Encode>::encode",
        "<bool as r::Encode>::encode",
        "<<r::A as r::B>::C as r::Encode>::encode",
        "alloc_row",
        "fopen",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (wrapper_is_function(names[i])) fail_msg("%s is passed over", names[i]);
    }
}

static void modules_are_known_by_their_last_name(void **state)
{
    (void)state;
    assert_true(wrapper_is_module("libmete-preload.so"));
    assert_true(wrapper_is_module("libc.so.6"));
    assert_true(wrapper_is_module("libstdc++.so.6"));
    assert_true(wrapper_is_module("ld-linux-x86-64.so.2"));
    assert_false(wrapper_is_module("libcrypto.so.3"));
    assert_false(wrapper_is_module("mete"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_stand_for_any_letters),
        cmocka_unit_test(a_word_is_found_anywhere_and_a_pattern_is_the_whole),
        cmocka_unit_test(wrappers_are_known),
        cmocka_unit_test(what_has_work_of_its_own_is_none),
        cmocka_unit_test(modules_are_known_by_their_last_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
