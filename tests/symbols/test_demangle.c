// Protects: C++ and Rust names are demangled, suffixes of compilers go, and hostile names cost
// nothing but themselves.
#include "symbols/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *mangled, const char *expected)
{
    char *name = demangle(mangled);
    if (!expected) {
        assert_null(name);
        return;
    }
    assert_non_null(name);
    assert_string_equal(name, expected);
    free(name);
}

static void names_of_cxx_are_demangled(void **state)
{
    (void)state;
    expect("_ZNSt6vectorIiSaIiEE9push_backERKi",
           "std::vector<int, std::allocator<int> >::push_back(int const&)");
    expect("_ZN3FooC4Ev", "Foo::Foo()");
    expect("_ZZ4mainENKUliE_clEi", "main::{lambda(int)#1}::operator()(int) const");
    expect("_ZN12_GLOBAL__N_16hiddenEi", "(anonymous namespace)::hidden(int)");
    expect("_ZlsI1TERSoS1_RKT_", "std::ostream& operator<< <T>(std::ostream&, T const&)");
}

static void names_of_rust_are_demangled_without_their_hash(void **state)
{
    (void)state;
    expect("_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "core::ptr::drop_in_place");
    expect("_ZN60_$LT$alloc..string..String$u20$as$u20$core..fmt..Display$GT$3fmt"
           "17h0123456789abcdefE",
           "<alloc::string::String as core::fmt::Display>::fmt");
    expect("_RNvCs1234_7mycrate3foo", "mycrate::foo");
    expect("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>");
}

static void what_is_not_mangled_is_no_name(void **state)
{
    (void)state;
    const char *const names[] = {"", "_", "_Z", "_R", "main", "_start", "_ZZ", "_ZN", "_Znope!"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) expect(names[i], NULL);
}

static void expect_stem(const char *symbol, const char *stem)
{
    assert_int_equal(demangle_stem(symbol), strlen(stem));
    assert_memory_equal(symbol, stem, strlen(stem));
}

static void suffixes_of_compilers_and_versions_go(void **state)
{
    (void)state;
    expect_stem("foo.cold", "foo");
    expect_stem("foo.cold.12", "foo");
    expect_stem("foo.part.0", "foo");
    expect_stem("foo.isra.0.part.1.cold", "foo");
    expect_stem("foo.constprop.0.isra.0", "foo");
    expect_stem("foo.lto_priv.3", "foo");
    expect_stem("foo.llvm.1234567890", "foo");
    expect_stem("read@@GLIBC_2.2.5", "read");
    expect_stem("old@GLIBC_2.0", "old");
}

static void other_suffixes_are_part_of_the_name(void **state)
{
    (void)state;
    const char *const names[] = {
        "",      "foo",        "main._omp_fn.0",         "foo.avx2", ".cold", "cold",
        "foo.1", "part",       "runtime.gcBgMarkWorker", "@plt",     ".",     "..",
        "a.",    "foo.cold.x",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) expect_stem(names[i], names[i]);
}

// Each argument is a pair of the one before: 60 of them are 2^60 names.
static void a_short_name_for_terabytes_is_refused(void **state)
{
    (void)state;
    char name[1024] = "_Z1f1PIiiE";
    const char *digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int i = 0; i < 36; i++) {
        char part[16];
        snprintf(part, sizeof part, "S_IS%c_S%c_E", digits[i], digits[i]);
        strcat(name, part);
    }
    expect(name, NULL);
}

static void a_deep_or_long_name_is_refused(void **state)
{
    (void)state;
    enum { LEN = 1 << 20 };
    const char *const parts[] = {"P", "1AI", "N", "F", "S_I", "X", "_R"};
    char *name = malloc(LEN + 16);
    assert_non_null(name);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        for (size_t len = 512; len <= LEN; len *= 16) {
            strcpy(name, i % 2 ? "_RNv" : "_Z1f");
            size_t part = strlen(parts[i]);
            size_t at = strlen(name);
            for (; at < len; at += part) memcpy(name + at, parts[i], part);
            name[at] = '\0';
            free(demangle(name));
        }
    }
    free(name);
}

static void no_text_breaks_it(void **state)
{
    (void)state;
    const char alphabet[] = "_ZNSIEKRPFLTXDCJUlLcmgsr0123456789abtiv$.";
    unsigned seed = 1;
    for (int round = 0; round < 100000; round++) {
        char name[64] = "_Z";
        if (round % 2) name[1] = 'R';
        for (size_t i = 2; i < sizeof name - 1; i++) {
            seed = seed * 1664525 + 1013904223;
            name[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        name[2 + (seed >> 20) % 60] = '\0';
        free(demangle(name));
        assert_true(demangle_stem(name) <= strlen(name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_cxx_are_demangled),
        cmocka_unit_test(names_of_rust_are_demangled_without_their_hash),
        cmocka_unit_test(what_is_not_mangled_is_no_name),
        cmocka_unit_test(suffixes_of_compilers_and_versions_go),
        cmocka_unit_test(other_suffixes_are_part_of_the_name),
        cmocka_unit_test(a_short_name_for_terabytes_is_refused),
        cmocka_unit_test(a_deep_or_long_name_is_refused),
        cmocka_unit_test(no_text_breaks_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
