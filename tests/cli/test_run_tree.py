"""What is said of several processes: which of them is the main program, and how each ended."""

import re

import pytest

from conftest import call_mete


def head_of(done):
    """The summary's first lines, without what was said before."""
    lines = [line for line in done.err.decode().splitlines() if not line.startswith("mete: ")]
    return lines[:lines.index("")]


def children_of(done):
    """How the children ended, by what is in the last column, and their programs."""
    lines = done.err.decode().splitlines()
    begin = next(i for i, line in enumerate(lines) if line.endswith("  Children")) + 1
    return lines[begin:lines.index("", begin)]


@pytest.fixture(name="static")
def static_program(compile_words):
    return compile_words("static", "int main(void) { return 0; }\n", ["-static"])


def test_a_mere_fork_of_the_shell_is_not_the_main_program(run, static):
    """Its peak contains all that it inherited."""
    done = run("sh", "-c", f"({static}); true")
    first, second = head_of(done)
    assert first.startswith(("sh -c ", "dash -c ")), done
    assert re.fullmatch(r"status 0 after .*, pid \d+", second), done


FORKING = """
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char *volatile kept = malloc(100000);
    if (fork() == 0) {
        for (int i = 0; i < atoi(argv[1]); i++) { char *volatile more = malloc(1000); more[0] = 1; }
        _exit(0);
    }
    wait(NULL);
    return argc != 2 || !kept;
}
"""


@pytest.mark.parametrize("count,is_child", [(1, False), (1000, True)])
def test_what_a_fork_allocated_itself_decides(run, compile_words, count, is_child):
    program = compile_words("sh", FORKING)  # called like one that only starts others
    head = head_of(run(program, count))
    assert head[0] == f"sh {count}"
    assert ("forked from" in head[1]) == is_child, head
