// Protects: Valgrind's patterns of mangled names mean the functions that they mean there, and not
// those whose names only begin alike.
#include "profile/mangled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void only_names_with_wildcards_are_patterns(void **state)
{
    (void)state;
    assert_true(mangled_is_pattern("_ZN4QMap*"));
    assert_true(mangled_is_pattern("_Znw?"));
    assert_false(mangled_is_pattern("_ZN4QMap6insertEv"));
    assert_false(mangled_is_pattern("g_type_*"));
    assert_false(mangled_is_pattern("_*"));
}

static const struct {
    const char *pattern;
    const char *name;
    bool matches;
} cases[] = {
    {"_Z8f_malloc*", "f_malloc(int)", true},
    {"_Z8f_malloc*", "f_malloc", true},
    {"_Z8f_malloc*", "f_malloc2(int)", false},
    {"_Z8f_mal*", "f_malloc(int)", true},
    {"_Z8f_mal*", "f_mul(int)", false},
    {"_ZL8f_malloc?", "f_malloc(int)", true},
    {"_ZN4QMap*", "QMap<int, std::string>::insert(int const&)", true},
    {"_ZN4QMap*", "QMapNode::insert(int)", false},
    {"_ZN4QMap*", "a::QMap::insert(int)", false},
    {"_ZN4QMapI*6insert*", "QMap<int, char>::insert(int)", true},
    {"_ZN4QMapI*6insert*", "QMap<int, char>::remove(int)", false},
    {"_ZNK3ns13Foo3bar*", "ns1::Foo::bar() const", true},
    {"_ZNK3ns13Foo3bar*", "ns1::Foo::bars() const", false},
    {"_ZNK3ns1*", "ns1::Foo::bar() const", true},
    {"_ZN3FooC?Ev", "Foo::Foo()", true},
    {"_ZN3FooC1*", "Foo::Foo(int)", true},
    {"_ZN3FooC1*", "Foo::~Foo()", false},
    {"_ZN3FooD*", "Foo::~Foo()", true},
    {"_ZN3FooD0*", "Foo::~Foo()", true},
    {"_ZN3FooD0*", "Foo::Foo()", false},
    {"_ZNSt6vector*", "std::vector<int, std::allocator<int> >::reserve(unsigned long)", true},
    {"_ZNSs*", "std::string::assign(char const*)", true},
    {"_ZSt4copy*", "int* std::copy<int*, int*>(int*, int*, int*)", true},
    {"_ZSt4copy*", "int* std::copy_n<int*, int*>(int*, int*, int*)", false},
    {"_Z3fooI*", "void foo<int>(int)", true},
    {"_Z3foo*", "bar(foo)", false},
    {"_Z3foo*", "bar(int, foo)", false},
    {"_ZN12_GLOBAL__N_13foo*", "(anonymous namespace)::foo(int)", true},
    {"_Z*", "anything", false}, // C
    {"_Z*", "anything(int)", true},
    {"_ZN*", "a::b", true},
    {"_ZN*", "b(a::c)", true}, // as good as it gets
    {"_ZN*", "b(int)", false},
    {"_Znw*", "main", false},
    {"_Znw*", "ns::make(int)", false},
    {"_ZN*Cache*", "ns::Cache::fill()", true},
    {"_ZN*Cache*", "ns::other()", false},
    {"_ZN*5Cache*", "ns::Cache::fill()", true},
    {"_ZN*5Cache*", "ns::other()", false},
    {"_ZN2ns*Cache*", "ns::other()", false},
    {"_ZN2ns*Ev", "ns::other()", true},
    {"_ZN3Foo*", "std::map<int, Foo, std::less<int> >::insert(int)", false},
    {"_ZN7QString*", "QHash<int, QString>::insert(int)", false},
    {"_ZNSt10shared_ptr*", "std::shared_ptr<Foo> std::make_shared<Foo>()", false},
    {"_ZSt11make_shared*", "std::shared_ptr<Foo> std::make_shared<Foo>()", true},
    {"_Z3foo*", "foo::bar()", false},
    {"_Z3fooI*", "foo<int>::bar()", false},
    {"_ZN3foo3barE*", "foo::bar::baz()", false},
    {"_ZN3foo3barE*", "foo::bar(int)", true},
    {"_ZN3foo3bar*", "foo::bar::baz()", true},
    {"_ZN3foo3BarIiE6insertERKS1_*", "foo::Bar<int>::insert(foo::Bar<int> const&)", true},
    {"_ZNSt10_HashtableI*Lb1E*6insert*", "std::_Hashtable<int, true>::insert(int)", true},
    {"_ZN3FoopLE*", "Foo::operator+=(Foo const&)", true},
    {"_ZN3FooltE*", "Foo::operator<(Foo const&)", true},
    {"_ZN3FooC*", "Foo::load()", false},
    {"_ZN3FooC*", "Foo::Foo()", true},
    {"_ZN3FooD*", "Foo::Foo()", false},
    {"_ZN3FooaSE*", "Foo::load()", false},
    {"_ZN3FooaSE*", "Foo::operator=(Foo const&)", true},
    {"_ZN2nsL3getE*", "ns::forget()", false},
    {"_ZN2nsL3getE*", "ns::get(int)", true},
    {"_ZN2ns*Event*", "ns::load()", false},
    {"_ZN2ns*Event*", "ns::Event::load()", true},
    {"_Z*SSL_*", "load(int)", false},
    {"_Z*SSL_*", "SSL_load(int)", true},
    {"_ZZN2ns4initEvENKUlvE_clE*", "ns::init()::{lambda()#1}::operator()() const", true},
    {"_ZZN2ns4initEvENKUlvE_clE*", "ns::other()::{lambda()#1}::operator()() const", false},
    {"_ZNSt6vectorI*SaI*EE9push_back*", "std::vector<int, std::allocator<int> >::push_back(int)",
     true},
    {"_ZNSt3mapI*St4lessI*E6insert*", "std::map<int, char, std::less<int> >::insert(int)", true},
    {"_ZN5QListI*N2ns3BarEE6append*", "QList<ns::Bar>::append(ns::Bar const&)", true},
    {"_ZN4QMap6insert*RK7QString*", "QMap::insert(int, QString const&)", true},
    {"_ZN12_GLOBAL__N_13Foo*", "(anonymous namespace)::Foo::bar(int)", true},
    {"_Z99999999999999999999foo*", "bar", false},
    {"_Z3*", "foo()", true},
    {"_Z3f*", "", false},
};

static void names_are_compared_as_far_as_they_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool matches = mangled_matches(cases[i].pattern, cases[i].name);
        if (matches != cases[i].matches) {
            fail_msg("%s and %s: %d", cases[i].pattern, cases[i].name, matches);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_names_with_wildcards_are_patterns),
        cmocka_unit_test(names_are_compared_as_far_as_they_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
