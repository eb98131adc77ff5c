// Protects: a function is called what people call it, and what is not understood keeps its name.
#include "profile/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *full, const char *expected)
{
    char name[512];
    memset(name, '#', sizeof name);
    name_fold(full, name, sizeof name);
    assert_string_equal(name, expected);
}

static void plain_names_stay(void **state)
{
    (void)state;
    check("main", "main");
    check("luaM_realloc_", "luaM_realloc_");
    check("libfoo.so.1+0x1234", "libfoo.so.1+0x1234");
    check("", "");
}

static void parameters_and_what_follows_them_go(void **state)
{
    (void)state;
    check("load(int, char const*)", "load");
    check("Foo::get(int) const", "Foo::get");
    check("Foo::get() const &", "Foo::get");
    check("work() [clone .cold]", "work");
    check("work [clone .part.0]", "work");
    check("name[abi:cxx11](int)", "name");
    check("apply(void (*)(int), int)", "apply");
}

static void template_arguments_are_folded(void **state)
{
    (void)state;
    check("std::vector<int, std::allocator<int> >::push_back(int const&)",
          "std::vector<>::push_back");
    check("a<b<c>, d<(e)1> >::f<g>()", "a<>::f<>");
    check("A<(1>2)>::f()", "A<>::f");
}

static void the_return_type_of_a_template_goes(void **state)
{
    (void)state;
    check("void a::b<int>(int)", "a::b<>");
    check("std::enable_if<true, int>::type f<int>(int)", "f<>");
    check("unsigned long const* g<int>()", "g<>");
    check("decltype(auto) h<int>(int)", "h<>");
    check("non-virtual thunk to Foo::bar()", "Foo::bar");
}

static void operators_keep_their_signs(void **state)
{
    (void)state;
    check("operator new(unsigned long)", "operator new");
    check("operator new[](unsigned long, std::nothrow_t const&)", "operator new[]");
    check("Foo::operator()(int) const", "Foo::operator()");
    check("Foo::operator[](int)", "Foo::operator[]");
    check("std::ostream& operator<< <int>(std::ostream&, A<int>)", "operator<<<>");
    check("bool operator< <int>(A<int>, A<int>)", "operator<<>");
    check("Foo::operator->() const", "Foo::operator->");
    check("Foo::operator bool() const", "Foo::operator bool");
    check("Foo::operator unsigned long() const", "Foo::operator unsigned long");
    check("cooperator(int)", "cooperator");
}

static void lambdas_and_locals_keep_their_place(void **state)
{
    (void)state;
    check("main::{lambda(int)#1}::operator()(int) const", "main::{lambda#1}::operator()");
    check("load(char const*)::{lambda()#2}::operator()() const", "load::{lambda#2}::operator()");
    check("(anonymous namespace)::work(int)", "(anonymous namespace)::work");
    check("a::(anonymous namespace)::B::work(int)", "a::(anonymous namespace)::B::work");
}

static void rust_keeps_whose_method_it_is(void **state)
{
    (void)state;
    check("<alloc::vec::Vec<T> as core::iter::FromIterator<T>>::from_iter",
          "<alloc::vec::Vec<> as core::iter::FromIterator<>>::from_iter");
    check("core::ptr::drop_in_place<alloc::vec::Vec<u8>>", "core::ptr::drop_in_place<>");
    check("core::slice::<impl [T]>::to_vec", "core::slice::<impl [T]>::to_vec");
    check("<(A,B) as core::fmt::Debug>::fmt", "<(A,B) as core::fmt::Debug>::fmt");
    check("rows::load::{{closure}}", "rows::load::{{closure}}");
}

static void what_is_not_understood_stays(void **state)
{
    (void)state;
    check("void (*pick(int))(char)", "void (*pick(int))(char)");
    check("broken<int", "broken<int");
    check("broken)", "broken)");
    check("(((", "(((");
    check("<a", "<a");
}

static void no_name_leaves_its_buffer(void **state)
{
    (void)state;
    const char *full = "std::map<int, std::string>::operator[](int const&) [clone .cold]";
    for (size_t capacity = 1; capacity < 100; capacity++) {
        char name[128];
        memset(name, '#', sizeof name);
        name_fold(full, name, capacity);
        assert_true(strlen(name) < capacity);
        assert_int_equal(name[capacity], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_stay),
        cmocka_unit_test(parameters_and_what_follows_them_go),
        cmocka_unit_test(template_arguments_are_folded),
        cmocka_unit_test(the_return_type_of_a_template_goes),
        cmocka_unit_test(operators_keep_their_signs),
        cmocka_unit_test(lambdas_and_locals_keep_their_place),
        cmocka_unit_test(rust_keeps_whose_method_it_is),
        cmocka_unit_test(what_is_not_understood_stays),
        cmocka_unit_test(no_name_leaves_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
