"""What `mete leaks --gen-suppressions` prints hides what was lost, and nothing else, also in code
that has no names; and Valgrind reads it too."""

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
