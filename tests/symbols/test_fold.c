// Protects: the short form of a name is what a person would say, and no text breaks it.
#include "symbols/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

struct pair {
    const char *name;
    const char *folded;
};

static void check(const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *folded = fold(pairs[i].name);
        assert_non_null(folded);
        assert_string_equal(folded, pairs[i].folded);
        // What is short already stays.
        char *again = fold(folded);
        assert_non_null(again);
        free(again);
        free(folded);
    }
}

#define CHECK_PAIRS(pairs) check(pairs, sizeof(pairs) / sizeof *(pairs))

static void parameters_and_template_arguments_are_left_out(void **state)
{
    (void)state;
    const struct pair pairs[] = {
        {"std::vector<int, std::allocator<int> >::push_back(int const&)",
         "std::vector<>::push_back"},
        {"std::function<void (int)>::operator()(int) const", "std::function<>::operator()"},
        {"f<a::b, (c)60>(int) const&", "f<>"},
        {"f<>()", "f<>"},
        {"foo(int, ...)", "foo"},
        {"S<((1)>(2))>::f()", "S<>::f"},
        {"S<(1>2)>::f()", "S<>::f"},
        {"a<b<c>, d<(e)1> >::f<g>()", "a<>::f<>"},
        {"apply(void (*)(int), int)", "apply"},
        {"S<&A::operator> >::f()", "S<>::f"},
        {"S<void (*)(std::vector<int>)>::f()", "S<>::f"},
        {"Foo<int>::~Foo()", "Foo<>::~Foo"},
        {"foo[abi:cxx11](int)", "foo"},
        {"Foo::f[abi:cxx11]() const", "Foo::f"},
        {"foo() [clone .part.0]", "foo"},
    };
    CHECK_PAIRS(pairs);
}

static void names_of_c_stay(void **state)
{
    (void)state;
    const struct pair pairs[] = {
        {"malloc", "malloc"},
        {"", ""},
        {"cooperator", "cooperator"},
        {"libfoo.so.1+0x1234", "libfoo.so.1+0x1234"},
        {"_start", "_start"},
        {"foo.part.0", "foo.part.0"},
        {"__libc_start_call_main", "__libc_start_call_main"},
        {"runtime.(*mcache).refill", "runtime.(*mcache).refill"},
        {"", ""},
    };
    CHECK_PAIRS(pairs);
}

static void return_types_are_left_out(void **state)
{
    (void)state;
    const struct pair pairs[] = {
        {"std::enable_if<true, int>::type ns::f<int>(int)", "ns::f<>"},
        {"unsigned long f<int>(int)", "f<>"},
        {"int (anonymous namespace)::f<int>(int)", "(anonymous namespace)::f<>"},
        {"void (*f<int>(int))(char)", "f<>"},
        {"void (A::*f<int>(int))(char)", "f<>"},
        {"decltype(auto) g<int>(int)", "g<>"},
        {"decltype ((f)({parm#1})) g<int>(int)", "g<>"},
        {"foo(int)::bar* baz<int>(int)", "baz<>"},
        {"non-virtual thunk to Foo::bar()", "Foo::bar"},
    };
    CHECK_PAIRS(pairs);
}

static void operators_keep_their_signs(void **state)
{
    (void)state;
    const struct pair pairs[] = {
        {"A::operator<(A const&) const", "A::operator<"},
        {"bool operator< <int>(A<int> const&, A<int> const&)", "operator< <>"},
        {"std::ostream& std::operator<< <std::T>(std::ostream&, char const*)",
         "std::operator<< <>"},
        {"bool operator<=> <int>(A<int>, A<int>)", "operator<=> <>"},
        {"A::operator->()", "A::operator->"},
        {"A::operator-><int>() const", "A::operator-><>"},
        {"A::operator>(A const&)", "A::operator>"},
        {"A::operator>>=(int)", "A::operator>>="},
        {"X::operator[](int)", "X::operator[]"},
        {"X::operator()(int)", "X::operator()"},
        {"X::operator,(int)", "X::operator,"},
        {"operator new(unsigned long)", "operator new"},
        {"A::operator new[](unsigned long)", "A::operator new[]"},
        {"operator delete[](void*, unsigned long)", "operator delete[]"},
        {"operator\"\" _km(long double)", "operator\"\" _km"},
        {"operators(int)", "operators"},
        {"operator_of(int)", "operator_of"},
    };
    CHECK_PAIRS(pairs);
}

static void conversions_keep_their_type(void **state)
{
    (void)state;
    const struct pair pairs[] = {
        {"Foo::operator bool() const", "Foo::operator bool"},
        {"Foo::operator unsigned long() const", "Foo::operator unsigned long"},
        {"Foo::operator std::vector<int, std::allocator<int> >()", "Foo::operator std::vector<>"},
        {"Foo::operator void (*)(int)() const", "Foo::operator void (*)(int)"},
        {"Foo::operator void (Foo::*)()() const", "Foo::operator void (Foo::*)()"},
        {"Foo::operator (anonymous namespace)::T() const",
         "Foo::operator (anonymous namespace)::T"},
    };
    CHECK_PAIRS(pairs);
}

static void what_has_no_name_keeps_its_number(void **state)
{
    (void)state;
    const struct pair pairs[] = {
        {"main::{lambda(int)#1}::operator()(int) const", "main::{lambda#1}::operator()"},
        {"auto foo<int>(int)::{lambda(auto:1)#2}::operator()<char>(char) const",
         "foo<>::{lambda#2}::operator()<>"},
        {"foo(int) const::{lambda()#1}::operator()() const", "foo::{lambda#1}::operator()"},
        {"A::m(int) const::L::g()", "A::m::L::g"},
        {"A::m() &&::{lambda()#1}::operator()() const", "A::m::{lambda#1}::operator()"},
        {"A::m() const volatile &::L::g()", "A::m::L::g"},
        {"(anonymous namespace)::Foo::bar(int)", "(anonymous namespace)::Foo::bar"},
        {"f()::{unnamed type#1}::g()", "f::{unnamed type#1}::g"},
        {"main::<lambda(int)>::operator()", "main::{lambda}::operator()"},
        {"foo(int)::bar::baz()", "foo::bar::baz"},
    };
    CHECK_PAIRS(pairs);
}

static void names_of_rust_keep_their_types(void **state)
{
    (void)state;
    const struct pair pairs[] = {
        {"<alloc::vec::Vec<T,A> as core::ops::drop::Drop>::drop",
         "<alloc::vec::Vec<> as core::ops::drop::Drop>::drop"},
        {"core::ptr::drop_in_place<alloc::string::String>", "core::ptr::drop_in_place<>"},
        {"std::io::impls::<impl std::io::Read for &mut R>::read",
         "std::io::impls::<impl std::io::Read for &mut R>::read"},
        {"foo::bar::<u8, fn(u8) -> u8>", "foo::bar<>"},
        {"<alloc::vec::Vec<u8>>::push", "<alloc::vec::Vec<>>::push"},
        {"core::ops::FnOnce::call_once{{vtable.shim}}",
         "core::ops::FnOnce::call_once{{vtable.shim}}"},
        {"main::{closure#0}", "main::{closure#0}"},
        {"rows::load::{{closure}}", "rows::load::{{closure}}"},
        {"<(A,B) as core::fmt::Debug>::fmt", "<(A,B) as core::fmt::Debug>::fmt"},
        {"core::slice::<impl [T]>::to_vec", "core::slice::<impl [T]>::to_vec"},
        {"f::<'<'>", "f<>"},
    };
    CHECK_PAIRS(pairs);
}

static void nonsense_comes_back_as_it_is(void **state)
{
    (void)state;
    const char *const names[] = {"foo<", "foo>", "a<b<c>",  "((((",       "operator", "f(int", "<",
                                 ">",    "f)",   "{lambda", "::operator", "a::<b",    "]",     " "};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *folded = fold(names[i]);
        assert_non_null(folded);
        assert_string_equal(folded, names[i]);
        free(folded);
    }
}

// Texts of the signs that mean something, at random: no crash, and not longer.
static void no_text_breaks_it(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "<",      ">",     "(",       ")",        "[",        "]",      "{",
        "}",      "::",    " ",       "operator", "a",        "-",      "*",
        "&",      "'",     "{lambda", "#1",       "decltype", " const", "(anonymous namespace)",
        "<impl ", "[abi:", ",",
    };
    unsigned seed = 1;
    for (int round = 0; round < 200000; round++) {
        char name[256] = "";
        for (int i = 0; i < 12; i++) {
            seed = seed * 1664525 + 1013904223;
            strcat(name, parts[(seed >> 16) % (sizeof parts / sizeof *parts)]);
        }
        char *folded = fold(name);
        assert_non_null(folded);
        assert_true(strlen(folded) <= strlen(name));
        free(folded);
    }
}

static void a_name_of_any_depth_and_length_is_only_not_folded(void **state)
{
    (void)state;
    enum { LEN = 100000 };
    char *name = malloc(LEN + 1);
    assert_non_null(name);
    for (size_t i = 0; i < LEN; i++) name[i] = i < LEN / 2 ? '<' : '>';
    name[0] = 'f';
    name[LEN] = '\0';
    char *folded = fold(name);
    assert_non_null(folded);
    assert_string_equal(folded, name);
    free(folded);
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_and_template_arguments_are_left_out),
        cmocka_unit_test(names_of_c_stay),
        cmocka_unit_test(return_types_are_left_out),
        cmocka_unit_test(operators_keep_their_signs),
        cmocka_unit_test(conversions_keep_their_type),
        cmocka_unit_test(what_has_no_name_keeps_its_number),
        cmocka_unit_test(names_of_rust_keep_their_types),
        cmocka_unit_test(nonsense_comes_back_as_it_is),
        cmocka_unit_test(no_text_breaks_it),
        cmocka_unit_test(a_name_of_any_depth_and_length_is_only_not_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
