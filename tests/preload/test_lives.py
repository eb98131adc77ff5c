"""Every way in which a process or a thread can live and die: what must be in the recording then.
What befalls them while they live is in test_observe.py, what is refused in tests/cli."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from test_leaks import assert_true, found_in
from test_observe import function, known_figures

CROWD = 6


@pytest.fixture(name="lives", scope="session")
def lives_program(compile_program):
    """A program for each life."""
    return compile_program("lives.c")


def assert_whole(recording, leak_state):
    """Nothing is lost, sums agree, and it is known whether somebody looked for leaks."""
    assert not any(recording.lost.values()), recording.lost
    reason = recording.text(recording.process["leak_reason"])
    assert recording.leak_state == leak_state, reason
    return recording.check()


def assert_crowd(recording, rounds):
    """What lives.c's threads have done when they wait, and its first one beside them."""
    assert function(recording, "held_site") == (CROWD, 80 * CROWD, 0, 0, 0, 80 * CROWD)
    n = CROWD * rounds
    assert function(recording, "thread_site") == (n, 50 * n, n, n, 0, 0)
    assert function(recording, "kept_site") == (rounds, 100 * rounds, 0, 0, 0, 100 * rounds)
    # A realloc ends what was there before.
    assert function(recording, "parent_site") == (1, 40, 1, 1, 0, 0)
    assert function(recording, "grown_site") == (1, 3000, 1, 1, 1, 0)


# --- deaths


@pytest.mark.parametrize("how,number", [("bad_address", signal.SIGSEGV), ("abort", signal.SIGABRT),
                                        ("handler", signal.SIGSEGV)])
def test_a_crash_amid_threads_loses_no_call(observed, lives, how, number):
    done = observed(lives, how, 500)
    assert done.status == 128 + number, done
    recording = assert_whole(done.only(), "awaited")
    assert recording.state == "waited" and recording.process["status"] & 0x7f == number
    assert_crowd(recording, 500)
    if how == "handler":
        assert function(recording, "handler_site") == (8, 80, 1, 1, 0, 70)


def test_who_ends_by_a_handler_says_why_nobody_looked(mete, observed, lives):
    """What it interrupted may make a look impossible: then that is the reason; no end is one."""
    done = observed(lives, "end_by_handler", 60)
    assert done.status == 0 and len(done.recordings) == 61, done
    reasons = set()
    for recording in done.recordings:
        if not recording.process["inherits_from_pid"]:
            continue
        assert recording.state == "ended"
        told = json.loads(subprocess.check_output(
            [mete, "report", "--json", "--children=no", recording.path]))
        assert (told["leaks"] is None) == (recording.leak_state != "scanned")
        reasons.add((recording.leak_state, told["leaks_reason"]))
    assert {state for state, _ in reasons} <= {"scanned", "busy"}, reasons


def test_five_killed_at_any_moment_lose_nothing(killed, lives):
    for _ in range(5):
        killed(lives)


@pytest.fixture(name="memory_group")
def memory_group_folder():
    """A control group that a process enters by its number in `cgroup.procs`, where 64 MiB are all
    there are. A limit on address space is another thing: malloc fails, and nobody dies of it."""
    size = str(64 << 20)
    name = f"mete-lives-{os.getpid()}"
    limits = {"memory.max": size, "memory.swap.max": "0"}
    parent = pathlib.Path("/sys/fs/cgroup")
    if (parent / "memory").is_dir():  # the first version
        parent /= "memory"
        limits = {"memory.limit_in_bytes": size, "memory.memsw.limit_in_bytes": size}
    group = parent / name
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        for file, words in limits.items():
            if (group / file).exists():
                (group / file).write_text(words)
        if not (group / next(iter(limits))).exists():
            pytest.skip("control groups do not limit memory here")
        yield group
    except OSError as error:
        pytest.skip(f"a control group's memory cannot be limited here: {error}")
    finally:
        for _ in range(100):  # who has died leaves it a moment later
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.02)


def test_who_is_killed_for_want_of_memory_loses_no_call(observed, lives, memory_group):
    script = f"echo $$ >{memory_group}/cgroup.procs; exec '{lives}' memory 500"
    done = observed("sh", "-c", script)
    assert done.status == 128 + signal.SIGKILL, done
    (recording,) = done.of("lives")
    assert_whole(recording, "awaited")
    assert function(recording, "kept_site") == (500, 50000, 0, 0, 0, 50000)
    said = int(done.out.split()[-1])
    assert said > 10
    assert said <= function(recording, "held_site")[0] <= said + 1
    assert function(recording, "take_all_memory")[0] in (said, said + 1)


# --- children


def test_what_a_shell_becomes_is_a_recording_of_its_own(observed, lives):
    done = observed("sh", "-c", f"exec '{lives}' keep 30")
    shell, program = done.recordings
    assert done.status == 0 and program.program == "lives", done
    assert (shell.process["image"], program.process["image"]) == (1, 2)
    assert shell.process["pid"] == program.process["pid"]
    assert (shell.state, shell.leak_state) == ("execed", "awaited")
    assert program.state == "waited"
    assert_whole(program, "scanned")
    assert function(program, "kept_site") == (30, 3000, 0, 0, 0, 3000)


def test_a_compiler_and_all_that_it_starts(observed, run_native, lives, source, tmp_path):
    """Its driver waits for the compiler proper, the assembler and, through one more, the linker."""
    words = ["gcc", "-O1", "-g", "-fno-builtin", "-pthread", "-D_GNU_SOURCE",
             source / "tests/preload/programs/lives.c", "-o"]
    native = run_native([*words, tmp_path / "native"])
    done = observed(*words, tmp_path / "observed")
    assert (native.status, done.status, done.out) == (0, 0, b""), done
    assert (tmp_path / "native").read_bytes() == (tmp_path / "observed").read_bytes()
    programs = {}
    for recording in done.recordings:
        assert_whole(recording, "scanned")
        name = recording.text(recording.process["name"]) or recording.program
        programs[re.sub(r"^x86_64-linux-gnu-|-\d+$|\.bfd$", "", name)] = recording
    assert sorted(programs) == ["as", "cc1", "collect2", "gcc", "ld"], programs
    assert programs["cc1"].total("allocations") > 1000
    driver = programs["gcc"].process["pid"]
    for name in ("cc1", "as", "collect2"):
        assert programs[name].process["parent_pid"] == driver
    assert programs["ld"].process["parent_pid"] == programs["collect2"].process["pid"]


def test_storms_of_children_leave_one_exact_recording_each(observed, lives):
    done = observed(lives, "storms", 200)
    assert done.status == 0 and len(done.recordings) == 201, done
    counts = []
    for recording in done.recordings:
        found = assert_whole(recording, "scanned").by_function()
        child = found["child_site"]
        if recording.process["inherits_from_pid"]:
            n = child.allocations
            assert child.figures() == (n, 60 * n, 0, 0, 0, 60 * n)
            assert found["parent_site"].inherited == 1
            counts.append(n)
        else:
            assert child.allocations == 0
        assert found["parent_site"].figures() == (1, 40, 0, 0, 0, 40)
    assert sorted(counts) == list(range(10, 210))


def test_spawned_children_begin_anew(observed, lives):
    done = observed(lives, "spawn", 10)
    (parent,) = [item for item in done.recordings if item.state == "waited"]
    assert done.status == 0 and len(done.recordings) == 11, done
    assert function(assert_whole(parent, "scanned"), "parent_site") == (10, 400, 0, 0, 0, 400)
    for child in done.recordings:
        if child is parent:
            continue
        assert function(assert_whole(child, "scanned"), "kept_site") == (30, 3000, 0, 0, 0, 3000)
        assert child.process["parent_pid"] == parent.process["pid"]
        assert child.process["inherits_from_pid"] == 0
        assert "parent_site" not in child.by_function()


def test_a_child_of_a_fork_without_handlers(observed, lives):
    done = observed(lives, "_Fork", 100)
    assert done.status == 0, done
    parent, child = done.recordings
    assert function(assert_whole(parent, "scanned"), "kept_site") == (100, 10000, 0, 0, 0, 10000)
    assert function(parent, "parent_site") == (1, 40, 0, 0, 0, 40)
    assert "child_site" not in parent.by_function()
    assert child.process["inherits_from_pid"] == parent.process["pid"]
    assert function(assert_whole(child, "scanned"), "child_site") == (200, 12000, 0, 0, 0, 12000)
    assert function(child, "parent_site") == (1, 40, 1, 0, 0, 0)
    assert child.by_function()["kept_site"].inherited == 100


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change its root and its user")
@pytest.mark.parametrize("place", ["", "root"])
def test_a_daemon_that_has_let_go_of_everything(observed, lives, tmp_path, place):
    """A fork of a fork in a session of its own, without descriptors, without rights, perhaps in
    another root: its recording grows on. Where there is no /proc nobody looks, and it says so."""
    folder = tmp_path / place if place else ""
    if place:
        folder.mkdir()
    done = observed(lives, "daemon", 5000, folder)
    assert (done.status, done.out) == (0, b""), done
    parent, daemon = done.recordings
    assert function(assert_whole(parent, "scanned"), "parent_site") == (1, 40, 0, 0, 0, 40)
    assert daemon.process["inherits_from_pid"] == parent.process["pid"]
    assert daemon.state == "ended"
    assert_whole(daemon, "refused" if place else "scanned")
    assert function(daemon, "child_site") == (1, 60, 0, 0, 0, 60)
    assert function(daemon, "kept_site") == (5000, 500000, 0, 0, 0, 500000)
    assert len(daemon.sites) >= 4096
    if place:
        assert daemon.text(daemon.process["leak_reason"])


# --- threads


def test_a_hundred_thousand_threads_one_after_the_other(observed, lives):
    count = 100000
    recording = assert_whole(observed(lives, "row", count).only(), "scanned")
    assert function(recording, "thread_site") == (count, 50 * count, count, count, 0, 0)
    assert len(recording.rows("rows")) < 10
    assert recording.process["thread_count"] >= count


def test_a_thousand_threads_at_once(observed, events):
    count = 1000
    recording = assert_whole(observed(events, "at_once", count).only(), "scanned")
    assert function(recording, "thread_site") == (
        11 * count, 550 * count, 10 * count, 10 * count, 0, 50 * count)
    assert recording.process["thread_count"] >= count + 1


def test_cancelled_threads_are_counted_to_their_last_call(observed, lives):
    """A call of ours is no point of cancellation, however new its stack is; some are cancelled
    asynchronously, while they compute."""
    done = observed(lives, "cancel", 50)
    assert done.status == 0, done
    passed, cleaned = map(int, done.out.split())
    recording = assert_whole(done.only(), "scanned")
    assert cleaned == 4 * 50
    assert function(recording, "thread_site") == (passed, 50 * passed, passed, passed, 0, 0)
    assert function(recording, "cleanup_site") == (
        2 * cleaned, 40 * cleaned, cleaned, cleaned, 0, 20 * cleaned)


def test_destructors_of_thread_local_objects_and_exit_handlers(observed, lives):
    """Also those that they ask for themselves; the first thread's run within exit()."""
    recording = assert_whole(observed(lives, "late", 20).only(), "scanned")
    n = 21
    assert function(recording, "held_site") == (n, 80 * n, n, 0, 0, 0)
    assert function(recording, "object_site") == (6 * n, 180 * n, 4 * n, 3 * n, 0, 60 * n)
    assert function(recording, "exit_site") == (1, 70, 1, 1, 0, 0)
    assert function(recording, "late_exit_site") == (1, 70, 0, 0, 0, 70)


# --- code of others


def test_a_library_that_comes_and_goes_a_thousand_times(observed, compile_program, compile_library):
    first = compile_library("library_plugin.c", "-DNAME=plugin_one")
    second = compile_library("library_plugin.c", "-DNAME=plugin_two", '-DPADDING="64"')
    program = compile_program("unloading.c", "-ldl")
    recording = assert_whole(observed(program, 2000, first, second).only(), "scanned")
    for name in ("plugin_one", "plugin_two"):
        assert function(recording, name) == (2000, 66000, 1000, 1000, 0, 33000)
    assert len(recording.modules) < 10
    assert {str(first), str(second)} <= set(recording.modules)


def test_who_is_preloaded_already_stays_so_and_is_counted(
        observed, compile_library, known, preload):
    """Ours comes first; what their constructors and destructors allocate is in the recording."""
    library = compile_library("library_early.c")
    others = f"{library}:{compile_library('library_counter.c')}"
    script = f"echo $LD_PRELOAD; exec '{known}' 1 100"
    done = observed("sh", "-c", script, env={"LD_PRELOAD": others})
    assert (done.status, done.out.decode()) == (0, f"{preload}:{others}\n"), done
    (recording,) = done.of("known")
    found = assert_whole(recording, "scanned").by_function()
    for name, figures in known_figures(1, 100).items():
        assert found[name].figures() == figures, name
    assert found["begin"].figures() == (1, 77, 1, 0, 0, 0)
    sizes = (1, 24, 100, 513, 4000, 33000, 300000, 2500000)  # as in program.h
    assert found["exercise"].figures() == (2 * len(sizes), 2 * sum(sizes), 2 * len(sizes), 0, 0, 0)
    assert {str(library)} <= set(recording.modules)


# --- debuggers around it

GDB = ("gdb", "-nx", "-batch", "-ex", "run", "-ex", "quit $_exitcode", "--args")
AROUND = {"strace": ("strace", "-f", "-o", "/dev/null"), "gdb": GDB}


def debugged(observed, tool, *words):
    """Runs a program in a debugger under `mete run`: what came of it; the program's recording."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    done = observed(*AROUND[tool], *words)
    (recording,) = done.of(pathlib.Path(words[0]).name)
    return done, recording


@pytest.mark.parametrize("tool", ["strace", "gdb"])
@pytest.mark.parametrize("threads", [1, 4])
def test_counts_within_a_debugger_are_exact(observed, known, tool, threads):
    done, recording = debugged(observed, tool, known, threads, 500)
    assert done.status == 0, done
    found = assert_whole(recording, "scanned").by_function()
    for name, figures in known_figures(threads, 500).items():
        assert found[name].figures() == figures, name


@pytest.mark.parametrize("tool", ["strace", "gdb"])
def test_leaks_are_looked_for_within_a_debugger(observed, run_native, lives, tool):
    """It has the threads, which nobody else can seize then: they are parked by a signal."""
    native = run_native([lives, "crowd", 200])
    done, recording = debugged(observed, tool, lives, "crowd", 200)
    assert native.stdout in done.out and done.status == native.status == 3, done
    assert_crowd(assert_whole(recording, "scanned"), 200)
    assert recording.process["leak_threads"] == CROWD
    assert found_in(recording)["held_site"] == {("reachable", CROWD, 80 * CROWD)}


@pytest.mark.parametrize("tool", ["strace", "gdb"])
def test_every_verdict_is_right_within_a_debugger(observed, compile_program, tool):
    done, recording = debugged(observed, tool, compile_program("leaks.c"), 3, "exit")
    assert done.status == 0, done
    assert_true(recording.check(), 3, "exit")


def test_a_tracer_around_mete_itself(observed, lives, tmp_path):
    log = tmp_path / "log"
    done = observed(lives, "crowd", 200, prefix=("strace", "-f", "-o", log))
    assert (done.status, done.out) == (3, b"6 threads wait\n"), done
    assert_crowd(assert_whole(done.only(), "scanned"), 200)
    assert "exit_group(3)" in log.read_text()


# --- limits, and what is refused


@pytest.mark.parametrize("source,how,ways,each,table,most", [
    ("confined.c", "not", 70000, 2, "sites", 1 << 17),
    ("lives.c", "deep", 30000, 1, "nodes", 1 << 19)])
def test_past_the_limit_of_stacks_all_is_counted_together(
        observed, compile_program, source, how, ways, each, table, most):
    count = ways * each
    done = observed(compile_program(source), how, ways, options=["--no-symbols"])
    assert done.status == 0, done
    recording = done.only()
    kept = [site for site in recording.sites if site.sizes[2] + site.sizes[3]]
    (others,) = [site for site in kept if site.kind == "others"]
    assert sum(site.sizes[2] + site.sizes[3] for site in kept) == count
    assert recording.total("allocations") == sum(site.allocations for site in recording.sites)
    assert others.allocations > 1000
    assert recording.leak_state == "scanned"
    assert most - 64 <= len(recording.rows(table)) <= most
    assert "Without a stack: " in done.err.decode()


TINY = """
void _start(void) { __asm__ volatile("int $0x80" : : "a"(1), "b"(3)); }
"""


def test_a_program_of_32_bits_is_refused_and_runs_anyway(run_native, observed, tmp_path):
    """One that runs; tests/cli has some that only begin like one. Of a child it is said."""
    program = tmp_path / "narrow"
    built = run_native(
        ["gcc", "-m32", "-nostdlib", "-static", "-ffreestanding", "-fno-pie", "-no-pie",
         "-x", "c", "-", "-o", program], input=TINY.encode())
    if built.status != 0 or run_native([program]).status != 3:
        pytest.skip("programs of 32 bits are not built or do not run here")
    done = observed(program)
    assert (done.status, done.recordings) == (125, []), done
    refusal, mend = done.said()
    assert "is a 32-bit program, and mete a 64-bit one" in refusal
    assert "build it for x86-64" in mend and "'mete run --anyway' runs it unobserved" in mend
    assert observed(program, options=["--anyway"]).status == 3
    done = observed("sh", "-c", f"'{program}'; exit 4")
    assert done.status == 4 and len(done.recordings) == 1, done
    assert "not everything was seen: 1 program that was started left no recording" in done.said()[0]
