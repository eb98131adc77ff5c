"""What `mete leaks --gen-suppressions` prints hides what was lost, and nothing else, also in code
that has no names; and Valgrind reads it too."""

import json
import shutil
import subprocess

import pytest

from conftest import call_mete

HIDE = r"""
#include <stdlib.h>
#include <string.h>

static void *volatile kept;
__attribute__((noinline)) static void old_leak(void) { kept = malloc(100); }
__attribute__((noinline)) static void new_leak(void) { kept = malloc(2000); }
__attribute__((noinline)) static void clear(void) {
    volatile char space[16384];
    for (size_t i = 0; i < sizeof space; i++) space[i] = 0;
}

int main(int argc, char **argv)
{
    (void)argv;
    old_leak();
    if (argc > 1) new_leak();
    kept = NULL;
    clear();
    return 0;
}
"""


@pytest.fixture(scope="session", params=["-g", "-s"])
def hide(request, compile_words):
    return compile_words(f"hide{request.param}", HIDE, flags=[request.param, "-fno-builtin"])


def test_what_is_new_is_told(mete, run, hide, tmp_path):
    assert run("-o", "a.mete", hide).status == 0
    made = call_mete(mete, ["leaks", "--gen-suppressions", "a.mete"], cwd=tmp_path)
    assert made.status == 0 and made.out.count(b"{\n") == 1, made
    (tmp_path / "a.supp").write_bytes(made.out)
    words = ["-o", "b.mete", "--suppressions=a.supp", "--fail-on-leak", hide]
    assert run(*words).status == 0
    done = run(*words, "new")
    assert done.status == 1 and b"1.95 KiB  lost in 1 block" in done.err, done


def test_what_is_in_use_is_not_said_to_be_lost(run, compile_words, tmp_path):
    program = compile_words("hide-u", HIDE.replace("kept = NULL;", ""), flags=["-g"])
    (tmp_path / "a.supp").write_text("{\n all\n Memcheck:Leak\n ...\n}\n")
    done = run("-o", "a.mete", "--suppressions=a.supp", program, "new")
    assert b"lost but for 1 suppressed block\n" in done.err, done


COMER = r"""
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct node { struct node *next; char rest[40]; };
__attribute__((noinline)) static void known(void)
{
    struct node *volatile node = malloc(sizeof *node);
    node->next = malloc(33);
    node = NULL;
}

static void *come(void *ignored)
{
    (void)ignored;
    for (int i = 0; i < 2000; i++) known();
    for (;;) pause();
}

int main(void)
{
    pthread_t thread;
    return pthread_create(&thread, NULL, come, NULL);
}
"""


def test_who_is_first_seen_as_the_look_begins_has_a_stack(run, compile_words, tmp_path):
    """A thread loses its first block while the others are made to stand still."""
    program = compile_words("comer", COMER, flags=["-g", "-O1", "-fno-builtin", "-pthread"])
    (tmp_path / "a.supp").write_text("leak:known\n")
    for _ in range(10):
        done = run("-o", "a.mete", "--suppressions=a.supp", "--fail-on-leak", program)
        assert done.status == 0, done


@pytest.mark.parametrize("first", ["_Znam", "_Zna*", "*", "..."])
def test_an_array_of_cxx_is_one_in_valgrinds_words(run, compile_words, tmp_path, first):
    """libstdc++'s operator new[] leaves no frame."""
    text = "namespace ns { __attribute__((noinline)) char *make() { return new char[30]; } }"
    text += " char *volatile kept; int main() { kept = ns::make(); kept = nullptr; }"
    program = compile_words("array", text, flags=["-g"], compiler="g++")
    frame = first if first == "..." else f"fun:{first}"
    (tmp_path / "a.supp").write_text(f"{{\n a\n Memcheck:Leak\n {frame}\n fun:_ZN2ns*\n}}\n")
    done = run("-o", "a.mete", "--suppressions=a.supp", program)
    assert b"lost but for 1 suppressed block\n" in done.err, done


LINKED = r"""
struct Bar { int x; };
namespace std_like { template <class T> struct list { T x; }; }
namespace ns {
inline auto init() { return [] { return new char[10]; }; }
char *initialize(int size) { return new char[size]; }
}
namespace Answer { __attribute__((noinline)) char *reinit() { return new char[20]; } }
struct Foo {
    char *text;
    __attribute__((noinline)) Foo(int size) : text(new char[size]) {}
    __attribute__((noinline)) ~Foo() { text = new char[40]; }
    __attribute__((noinline)) char *load(const char *) { return text = new char[50]; }
    template <class T> __attribute__((noinline)) char *keep(T) { return text = new char[60]; }
};
__attribute__((noinline)) char *foo(Bar) { return new char[70]; }
__attribute__((noinline)) bool operator==(const Foo &, const Foo &) { return new char[80]; }
static __attribute__((noinline)) char *own(int) { return new char[90]; }
char *volatile kept;
__attribute__((noinline)) void lose(int what)
{
    Bar bar = {what};
    switch (what) {
    case 1: kept = ns::init()(); break;
    case 2: kept = Answer::reinit(); break;
    case 5: { Foo *made = new Foo(1); made->load(""); made->text = nullptr; delete made; break; }
    case 6: { Foo *made = new Foo(1); made->keep(1); delete made; break; }
    case 7: kept = foo(bar); break;
    case 9: kept = own(1); break;
    }
    kept = nullptr;
}
int main(int, char **words) { lose(words[1][0] - '0'); }
"""

# What allocates there, as nm prints it: _ZZN2ns4initEvENKUlvE_clEv, _ZN6Answer6reinitEv,
# _ZN3FooC1Ei, _ZN3FooD1Ev, _ZN3Foo4loadEPKc, _ZN3Foo4keepIiEEPcT_, _Z3foo3Bar, _ZL3owni.
@pytest.mark.parametrize("what, pattern, is_hidden", [
    (1, "_ZZN2ns4initEvENKUlvE_clE*", True),
    (2, "_ZZN2ns4initEvENKUlvE_clE*", False),
    (2, "_ZN6Answer*", True),
    (2, "_ZN6*E*", True),
    (2, "_ZN2ns*", False),
    (7, "_Z3foo3Bar*", True),
    (7, "_Z3foo?Bar", True),
    (7, "_ZeqRK3Foo*", False),
    (7, "_ZN3foo*", False),
    (9, "_ZL3own*", True),
    (9, "_Z3own*", False),
])
def test_valgrinds_patterns_mean_what_they_mean_there(run, linked, tmp_path, what, pattern,
                                                      is_hidden):
    """They are held against mangled names, which recordings keep beside those for people."""
    (tmp_path / "a.supp").write_text(
        f"{{\n a\n Memcheck:Leak\n fun:_Zn*\n fun:{pattern}\n}}\n")
    done = run("-o", "a.mete", "--suppressions=a.supp", "--fail-on-leak", linked, str(what))
    assert done.status == (0 if is_hidden else 1), done


@pytest.mark.parametrize("what, pattern, lost", [
    (5, "_ZN3Foo*EPKc", b"50 B"),
    (5, "_ZN3Foo4loadE*", b"50 B"),
    (5, "_ZN3FooD?Ev", b"40 B"),
    (5, "_ZN3FooD0Ev", b"40 B"),
    (5, "_ZN3FooC4Ei", b"1 B"),
    (6, "_ZN3Foo4keepIiE*", b"60 B"),
])
def test_of_what_has_several_copies_any_is_meant(mete, run, linked, tmp_path, what, pattern, lost):
    """Of constructors and destructors; what else is lost is told."""
    (tmp_path / "a.supp").write_text(
        f"{{\n a\n Memcheck:Leak\n fun:_Zn*\n fun:{pattern}\n}}\n")
    assert run("-o", "a.mete", linked, str(what)).status == 0
    whole = json.loads(call_mete(mete, ["report", "--json", "a.mete"], cwd=tmp_path).out)
    left = json.loads(call_mete(mete, ["report", "--json", "--suppressions=a.supp", "a.mete"],
                                cwd=tmp_path).out)
    sizes = [sorted(leak["bytes"] for leak in page["leaks"]) for page in (whole, left)]
    size = int(lost.split()[0])
    assert size in sizes[0] and size not in sizes[1] and len(sizes[1]) == len(sizes[0]) - 1, sizes


@pytest.fixture(name="linked", scope="session")
def linked_program(compile_words):
    return compile_words("linked", LINKED, flags=["-g", "-O0"], compiler="g++")


@pytest.mark.parametrize("what", [1, 2, 5, 6, 7, 9])
def test_valgrind_reads_what_was_made_of_cxx(mete, run, linked, tmp_path, what):
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    assert run("-o", "a.mete", linked, str(what)).status == 0
    made = call_mete(mete, ["leaks", "--gen-suppressions", "a.mete"], cwd=tmp_path)
    (tmp_path / "a.supp").write_bytes(made.out)
    done = subprocess.run(["valgrind", "--leak-check=full", "--suppressions=a.supp", linked,
                           str(what)],
                          cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert "ERROR SUMMARY: 0 errors" in done.stderr, (done.stderr, made.out)
    assert "suppressed: 0 bytes" not in done.stderr, done.stderr


def test_valgrind_reads_it(mete, run, compile_words, tmp_path):
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    program = compile_words("hide-v", HIDE, flags=["-g", "-fno-builtin"])
    assert run("-o", "a.mete", program).status == 0
    made = call_mete(mete, ["leaks", "--gen-suppressions", "a.mete"], cwd=tmp_path)
    (tmp_path / "a.supp").write_bytes(made.out)
    done = subprocess.run(["valgrind", "--leak-check=full", "--suppressions=a.supp", program],
                          cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert "suppressed: 100 bytes in 1 blocks" in done.stderr, done.stderr
