"""Names from files that are odd, made by hand in assembly."""

import pytest

from asking import SOURCES, call

RETURNED_TO = """
    .text
    .globl held
    .type held, @function
held:
    call held
    .size held, . - held
    .globl behind
    .type behind, @function
behind:
    ret
    .size behind, . - behind
    nop
    .globl trampoline
    .type trampoline, @function
trampoline:
    ret
    .section .note.GNU-stack, "", @progbits
"""


def test_functions_that_nobody_calls_are_found_where_they_begin(query, tmp_path):
    """As libc's __restore_rt: what stands one byte before belongs to nobody, unless it does."""
    (tmp_path / "returned.s").write_text(RETURNED_TO, encoding="ascii")
    library = tmp_path / "returned.so"
    call("gcc", "-shared", "-nostdlib", "returned.s", "-o", library, cwd=tmp_path)
    places = {name: int(place, 16) for place, _, name in
              (row.split() for row in call("nm", library).splitlines())}
    answer = query(library, [places["behind"], places["trampoline"]])
    assert answer.functions(places["behind"]) == ["held"]
    assert answer.functions(places["trampoline"]) == ["trampoline"]


ENDING = """
#include <stdlib.h>
__attribute__((noinline)) static void nameless(int status) { exit(status); }
void exported(void) { }
int main(int argc, char **argv) { (void)argv; nameless(argc); }
"""


def test_what_follows_a_nameless_function_does_not_lend_its_name(query, tmp_path):
    """Its last call does not return, so that the return address lies in the next, which has one."""
    (tmp_path / "ending.c").write_text(ENDING, encoding="ascii")
    flags = ["-Os", "-fno-toplevel-reorder", "-rdynamic"]
    call("gcc", *flags, "ending.c", "-o", "whole", cwd=tmp_path)
    places = {row.split()[-1]: int(row.split()[0], 16)
              for row in call("nm", "--defined-only", tmp_path / "whole").splitlines()}
    call("strip", "whole", "-o", "stripped", cwd=tmp_path)
    behind = places["exported"]
    assert query(tmp_path / "whole", [behind]).functions(behind) == ["nameless"]
    assert query(tmp_path / "stripped", [behind]).functions(behind) == []
    inside = behind + 1
    assert query(tmp_path / "stripped", [inside]).functions(inside) == ["exported"]


@pytest.mark.parametrize("count", [10, 80_000])
def test_functions_that_share_a_long_list_of_ranges_do_not_take_for_ever(query, tmp_path, count):
    """Without a limit it is the square of their number, and more than the helper's time."""
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n", encoding="ascii")
    program = tmp_path / "shared"
    call("gcc", f"-Wa,--defsym,COUNT={count}", "main.c", SOURCES / "shared_ranges.s", "-o", program,
         cwd=tmp_path)
    (hot,) = [row.split()[0] for row in call("nm", program).splitlines() if row.endswith(" hot")]
    offset = int(hot, 16) + 10  # behind its call
    answer = query(program, [offset])
    assert answer.module["end"] == "complete" and answer.functions(offset) == ["hot"]
