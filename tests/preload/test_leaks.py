"""A look for leaks: of each block of a program that knows its own, whether it is lost; and never a
false one."""

import collections

import pytest

from recording import LEAK_KINDS

LOST = {
    "lost_first": ("direct", 1, 101),
    "lost_second": ("direct", 3, 606),
    "lost_large": ("direct", 1, 300000),
    "lost_behind_ends": ("direct", 8, 8192),
    "lost_list": ("direct", 1, 48),
    "behind_head": ("indirect", 9, 432),
    "lost_hidden": ("direct", 1, 303),
    "lost_with_way_out": ("direct", 1, 404),
    "lost_on_a_thread_stack": ("direct", 1, 505),
    "lost_in_thread_variable": ("direct", 1, 606),
    "lost_argument": ("direct", 1, 707),
}
CYCLE = {("direct", 1, 48), ("indirect", 1, 48)}
HELD = {
    "held_by_global": 1, "held_with_its_end": 8, "held_by_block": 2, "held_by_main_variable": 1,
    "held_by_key": 1, "held_by_mapping": 1, "held_with_tag": 1, "held_by_unreadable": 1,
    "held_behind_guard": 2, "held_by_result": 1, "held_by_coroutine": 1, "held_by_epoll": 1,
}
ENDS = ("return", "exit", "_exit", "quick_exit", "thread")


@pytest.fixture(scope="session")
def leaks(compile_program):
    """A program that knows which of its blocks are lost."""
    return compile_program("leaks.c")


def found_in(recording):
    """By the innermost function: the kinds, blocks and bytes that were found."""
    found = collections.defaultdict(set)
    for row in recording.rows("leaks"):
        stack = recording.sites[row["site"]].stack
        name = stack[0] if stack else "?"
        found[name].add((LEAK_KINDS[row["kind"]], row["blocks"], row["bytes"]))
    return found


def assert_true(recording, threads, how):
    """Every verdict is right, and there is no other."""
    assert recording.leak_state == "scanned", recording.text(recording.process["leak_reason"])
    found = found_in(recording)
    for name, verdict in LOST.items():
        assert found.pop(name) == {verdict}, (name, verdict)
    assert found.pop("cycle_node") == CYCLE
    assert {kind for kind, _, _ in found.pop("inside_by_global")} == {"interior"}
    holders = dict(HELD)
    for i, name in enumerate(
            ("held_in_register", "held_on_thread_stack", "held_in_thread_variable")):
        holders[name] = (threads + 3 - i + 2) // 3
    main_stack = found.pop("held_by_main_stack")
    assert {kind for kind, _, _ in main_stack} == {"direct" if how == "return" else "reachable"}
    for name, blocks in holders.items():
        rows = found.pop(name)
        assert {kind for kind, _, _ in rows} == {"reachable"}, (name, rows)
        assert sum(count for _, count, _ in rows) == blocks, (name, rows)
    accused = {name: rows for name, rows in found.items()
               if any(kind in ("direct", "indirect") for kind, _, _ in rows)}
    assert not accused
    lost = [verdict for verdict in (*LOST.values(), *CYCLE, *main_stack) if "direct" in verdict[0]]
    assert recording.process["lost_blocks"] == sum(blocks for _, blocks, _ in lost)


@pytest.mark.parametrize("how", ENDS)
def test_every_verdict_is_right(observed, leaks, how):
    done = observed(leaks, 0, how)
    assert (done.status, done.out) == (0, b""), done
    assert_true(done.only().check(), 0, how)


def test_every_verdict_is_right_among_a_thousand_threads(observed, leaks):
    done = observed(leaks, 1000, "exit")
    assert (done.status, done.out) == (0, b""), done
    recording = done.only().check()
    assert_true(recording, 1000, "exit")
    assert recording.process["leak_threads"] == 1003


def test_who_records_by_itself_may_ask_too(by_itself, leaks, tmp_path):
    done, recordings = by_itself(leaks, 3, "exit")
    assert done.status == 0 and not done.stderr, done
    assert recordings[0].leak_state == "unasked" and not recordings[0].rows("leaks")
    settings = f"observe=yes,leaks=yes,recording={tmp_path}/live/asked.mete"
    done, recordings = by_itself(leaks, 3, "exit", env={"METE": settings})
    assert done.status == 0 and not done.stderr, done
    asked = next(item for item in recordings if item.path.name == "asked.mete")
    assert asked.leak_state == "scanned"
    assert asked.process["lost_blocks"] == 30 and asked.process["lost_bytes"] == 312000


# --- odd ways to hold memory, and to end

ODD = (
    "fake_block", "shared_read_only", "shared_mapped_anew", "shared_within_a_block",
    "guard_within_a_block", "stack_used_again", "exit_on_a_stack_within_ours",
    "large_reservations", "threads_that_bear_no_interruption", "many_leave_at_once",
    "pages_that_a_thread_provides", "many_look_at_once", "two_exits",
    "many_exits", "exit_in_a_handler", "signal_stacks", "held_by_gs",
)


@pytest.fixture(scope="session")
def odd(compile_program):
    """A program for each of them."""
    return compile_program("leaks_odd.c")


@pytest.mark.parametrize("what", ODD)
def test_nobody_is_accused_and_nothing_is_harmed(observed, run_native, odd, what):
    assert run_native([odd, what], timeout=20).status == 0
    done = observed(odd, what, timeout=20)
    assert (done.status, done.out) == (0, b""), done
    recording = done.only().check()
    assert recording.leak_state == "scanned", recording.text(recording.process["leak_reason"])
    assert recording.process["lost_blocks"] == 0, found_in(recording)


def test_a_signal_that_comes_during_a_look_is_as_any(observed, run_native, odd):
    assert run_native([odd, "a_signal_during_a_look"], timeout=20).status == 0
    done = observed(odd, "a_signal_during_a_look", timeout=20)
    assert (done.status, done.out) == (0, b""), done


def test_what_lies_in_a_region_that_was_told_of_is_in_use(observed, odd):
    done = observed(odd, "regions")
    assert done.status == 0, done
    sizes = {size: kind for kind, _, size in found_in(done.only())["block_of"]}
    assert sizes[100] == "reachable", sizes


DAEMON = r"""
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
__attribute__((noinline)) static void lose(size_t size) { memset(malloc(size), 1, size); }
__attribute__((noinline)) static void clear(void)
{
    char space[16384];
    memset(space, 0, sizeof space);
    __asm__ volatile("" : : "r"(space) : "memory");
}
#ifdef OFF
int __lsan_is_turned_off(void) { return 1; }
#endif
int main(int argc, char **argv)
{
    (void)argv;
    lose(111);
    clear();
    if (argc > 1) return 0;
    if (daemon(1, 1) != 0) return 1;
    lose(222);
    clear();
    return 0;
}
"""


def test_who_becomes_a_daemon_is_looked_at_before(observed, compile_text):
    program = compile_text("daemon", DAEMON)
    done = observed("sh", "-c", f"{program}; sleep 0.5")  # the daemon goes on meanwhile
    assert done.status == 0, done
    daemons = [item for item in done.recordings if item.program == "daemon"]
    found = [sum(row["bytes"] for row in item.rows("leaks") if row["kind"] == 0)
             for item in daemons]
    assert all(item.leak_state == "scanned" for item in daemons)
    assert sorted(found) == [111, 222]


DESTRUCTOR = r"""
#include <stdint.h>
#include <stdlib.h>
static uintptr_t hidden;
__attribute__((constructor)) static void begin(void) { hidden = ~(uintptr_t)malloc(71); }
__attribute__((destructor)) static void end(void) { free((void *)~hidden); }
"""


def test_the_look_comes_after_the_destructors_of_libraries(observed, compile_text):
    """What they free is not lost, wherever they kept it."""
    library = compile_text("library", DESTRUCTOR, "-shared", "-fPIC")
    program = compile_text("user", "int main(void) { return 0; }", "-Wl,--no-as-needed", library,
                           f"-Wl,-rpath,{library.parent}")
    done = observed(program)
    assert done.status == 0, done
    assert done.only().process["lost_blocks"] == 0, found_in(done.only())


def test_a_program_may_turn_it_off(observed, compile_text):
    done = observed(compile_text("daemon", DAEMON, "-DOFF", "-rdynamic"), "now")
    recording = done.only()
    assert recording.leak_state == "refused"
    assert "__lsan_is_turned_off" in recording.text(recording.process["leak_reason"])


def test_what_a_child_frees_is_not_its_parents_any_more(observed, odd):
    done = observed(odd, "child_uses_places_again")
    assert done.status == 0, done
    parent, child = sorted(done.recordings, key=lambda item: item.process["inherits_from_pid"])
    assert parent.process["lost_blocks"] == 0
    found = found_in(child)
    kinds = collections.Counter()
    for kind, blocks, _ in found["block_of"]:
        kinds[kind] += blocks
    assert kinds["direct"] >= 999 and not kinds["inherited"], found  # a copy of one may be left


@pytest.mark.parametrize("call", ["ptrace", "process_vm_readv"])
def test_a_sandbox_that_kills_is_met_by_other_means(observed, compile_program, leaks, call):
    """One that was there from the start, and kills for what no ordinary program does."""
    done = observed(compile_program("sandboxed.c"), call, leaks, 5, "exit")
    assert (done.status, done.out) == (0, b""), done
    assert_true(done.of("leaks")[0].check(), 5, "exit")


def test_where_nobody_can_look_the_reason_is_told(observed, leaks):
    """The numbers of threads in somebody else's /proc are not ours."""
    done = observed("unshare", "--pid", "--fork", leaks, 3, "exit")
    if done.status == 1 and b"unshare" in done.err:
        pytest.skip("namespaces cannot be made here")
    assert done.status == 0, done
    recording = next(iter(done.of("leaks"))).check()
    assert recording.leak_state == "refused" and not recording.rows("leaks")
    reason = recording.text(recording.process["leak_reason"])
    assert reason == "its /proc is another PID namespace's"
    assert f"lost; nobody looked: {reason}".encode() in done.err, done
