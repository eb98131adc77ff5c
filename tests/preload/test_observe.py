"""What is counted is what happened: programs whose allocations are known, through everything that
befalls processes and threads."""

import os
import random
import subprocess
import time

import pytest

from recording import Recording


def function(recording, name):
    """A function's figures: allocations, bytes, frees, temporary, reallocations, live bytes."""
    return recording.by_function()[name].figures()


# --- sites


def known_figures(threads, rounds):
    """What known.c does by its own account, per function."""
    n = threads * rounds
    return {
        "brief_site": (n, 24 * n, n, n, 0, 0),
        "array_site": (n + threads, 300 * (n + threads), n, 0, 0, 300 * threads),
        "aligned_site": (n, 200 * n, n, 0, 0, 0),
        "grown_site": (3 * n, 1110 * n, 3 * n, 2 * n, 2 * n, 0),
        "passed_site": (n, 50 * n, n, 0, 0, 0),
        "left_site": (n, 77 * n, 0, 0, 0, 77 * n),
        "large_site": (threads, 300000 * threads, threads, 0, 0, 0),
        "main": (threads, 8 * n, threads, 0, 0, 0),
    }


@pytest.mark.parametrize("threads", [1, 4, 16])
def test_every_site_is_counted_to_the_last_block_and_byte(observed, known, threads):
    rounds = 2000
    done = observed(known, threads, rounds)
    assert (done.status, done.out) == (0, b""), done
    recording = done.only().check()
    found = recording.by_function()
    for name, figures in known_figures(threads, rounds).items():
        assert found[name].figures() == figures, name
    assert not any(recording.lost.values())
    # All else is libc's, for threads.
    others = {name for name, site in found.items() if site.allocations} - set(
        known_figures(threads, rounds))
    assert others <= {"calloc"}, others
    assert recording.total("frees_unseen") == 0
    grown = [row for row in recording.rows("rows") if row["reallocations"]]
    assert {(row["step_min"], row["step_max"], row["size_min"], row["size_max"])
            for row in grown} == {(90, 900, 10, 1000)}
    for site in recording.sites:
        if site.kind == "stack":
            assert_whole(site)


def assert_whole(site):
    """From the function to where its thread began."""
    assert site.end == "complete", site
    if "work" not in site.stack or "main" in site.stack:
        assert site.stack[-1] == "_start" and site.stack.count("main") == 1, site
    else:
        assert "clone" in site.stack[-1] and site.stack.index("work") == len(site.stack) - 3, site


def test_the_peak_of_one_thread_is_exact(observed, known):
    rounds = 1000
    recording = observed(known, 1, rounds).only().check()
    assert recording.process["is_peak_exact"] == 1
    # The large block, when all others but those that are freed within a round are there.
    live = rounds * (8 + 50 + 77)
    assert recording.process["peak_bytes"] == live + 300000 + 300
    found = recording.by_function()
    assert found["large_site"].at_peak_bytes == 300000
    assert found["passed_site"].at_peak_bytes == 50 * rounds
    assert found["left_site"].at_peak_bytes == 77 * rounds
    assert found["grown_site"].at_peak_bytes == 0
    assert recording.process["peak_blocks"] == 1 + 2 * rounds + 2


@pytest.mark.parametrize("threads", [4, 16])
def test_the_peak_of_many_threads_is_within_its_bounds(observed, known, threads):
    """At the end all that is passed on and left is there; it is the peak but for what each thread
    held for a round, and its large block."""
    rounds = 20000
    recording = observed(known, threads, rounds).only().check()
    process = recording.process
    least = threads * rounds * (8 + 50 + 77) + 300000
    most = least + threads * (300000 + 300 + 2000) + 288 * threads
    slack = max(most // 100, threads * 4096)
    assert least - slack <= process["peak_bytes"] <= most + slack
    at_peak = sum(site.at_peak_bytes for site in recording.sites)
    assert abs(at_peak - process["peak_bytes"]) <= slack + threads * 302300


def test_a_stripped_program_has_whole_stacks(observed, compile_program):
    """Where nothing has a name and no frame a pointer, figures and depths tell them apart."""
    program = compile_program("known.c", "-O2", "-s", "-fomit-frame-pointer")
    rounds = 500
    recording = observed(program, 4, rounds).only().check()
    own = [site for site in recording.sites
           if site.frames and str(site.frames[0][0]) == str(program)]
    n = 4 * rounds
    figures = [site.figures() for site in own]
    # The first thread's and the other three's; grown_site is jumped out of, its caller not.
    for count in (rounds, 3 * rounds):
        assert (count, 24 * count, count, count, 0, 0) in figures
        assert (count, 300 * count, count, 0, 0, 0) in figures
        assert (count, 77 * count, 0, 0, 0, 77 * count) in figures
    assert sum(site.allocations for site in own) == 8 * n + 4 * 3
    for site in own:
        assert site.end == "complete" and 3 <= site.depth <= 6, site
        outermost = site.frames[-1][0]
        assert str(outermost) == str(program) or "libc" in outermost
        if str(outermost) == str(program):  # _start < __libc_start_main < … < main
            assert site.depth >= 4
            assert [str(program) == str(path) for path, _ in site.frames[-4:]] == [
                True, False, False, True]


# --- processes


def test_a_forked_child_goes_on_from_what_its_parent_had(observed, events):
    done = observed(events, "fork")
    assert done.status == 0, done
    parent, child = done.recordings
    assert function(parent.check(), "parent_site") == (1000, 40000, 1000, 0, 0, 0)
    assert "child_site" not in parent.by_function()
    assert child.process["inherits_from_pid"] == parent.process["pid"]
    assert child.process["parent_pid"] == parent.process["pid"]
    assert function(child.check(), "parent_site") == (1000, 40000, 500, 0, 0, 20000)
    assert child.by_function()["parent_site"].inherited == 1000
    assert function(child, "child_site") == (200, 12000, 0, 0, 0, 12000)
    assert child.by_function()["child_site"].inherited == 0
    assert child.state == "ended" and parent.state == "waited"


def test_children_of_children(observed, events):
    first, second, third = observed(events, "fork_deep").recordings
    assert third.process["inherits_from_pid"] == second.process["pid"]
    assert function(first.check(), "kept_site") == (1, 100, 0, 0, 0, 100)
    assert function(second.check(), "child_site") == (1, 60, 0, 0, 0, 60)
    assert function(third.check(), "child_site") == (2, 120, 0, 0, 0, 120)
    assert third.by_function()["child_site"].inherited == 1


def test_forks_amid_threads_that_allocate(observed, events):
    """Protects children from locks and half-made rows of threads they have not."""
    children = 40
    done = observed(events, "fork_amid", children)
    assert done.status == 0, done
    assert len(done.recordings) == children + 1
    for recording in done.recordings:
        found = recording.check().by_function()
        assert {name for name, site in found.items() if site.allocations} <= {
            "calloc", "thread_site", "child_site"}
        if recording.process["inherits_from_pid"]:
            assert found["child_site"].figures() == (50, 3000, 0, 0, 0, 3000)
            assert found["thread_site"].inherited == found["thread_site"].allocations <= 8 * 64
        else:
            assert found["thread_site"].live_bytes == 0


def test_vfork_and_exec(observed, events):
    done = observed(events, "vfork", 10)
    (parent,) = done.of("events")
    assert parent.state == "waited"
    assert function(parent.check(), "parent_site") == (10, 400, 0, 0, 0, 400)
    assert len(done.of("true")) == 5 and len(done.recordings) == 6


def test_exec_gives_the_pid_a_second_recording(observed, events):
    done = observed(events, "exec", 50)
    assert done.status == 5, done
    first, second = done.recordings
    assert (first.process["image"], second.process["image"]) == (1, 2)
    assert first.process["pid"] == second.process["pid"]
    assert first.state == "execed" and second.state == "waited"
    assert function(first.check(), "kept_site") == (50, 5000, 0, 0, 0, 5000)
    assert function(first, "parent_site") == (1, 40, 0, 0, 0, 40)  # after an exec that failed
    assert first.process["status"] == 0 and second.process["status"] == 5 << 8


def test_exec_into_what_cannot_be_seen(observed, events):
    done = observed(events, "execle")
    assert done.status == 6, done
    assert done.only().state == "execed"
    assert any("became another program, which left no recording" in line or
               "in an environment without LD_PRELOAD" in line for line in done.said())


@pytest.mark.parametrize("how,status", [("_exit", 7), ("quick_exit", 7), ("abort", 134)])
def test_ends_that_nobody_hears_of(observed, events, how, status):
    done = observed(events, how, 50)
    assert done.status == status
    assert function(done.only().check(), "kept_site") == (50, 5000, 0, 0, 0, 5000)


@pytest.mark.parametrize("how,state", [("_exit", "ended"), ("quick_exit", "ended"),
                                       ("abort", "running")])
def test_an_end_by_choice_is_told_from_a_death(by_itself, events, how, state):
    _, (recording,) = by_itself(events, how)
    assert recording.state == state


def test_a_process_killed_at_any_moment_loses_nothing(preload_for_all, events, tmp_path):
    """Calls that had returned are in the file, at most the one that was running is half there."""
    seed = int(os.environ.get("METE_TEST_SEED", time.time_ns() % 1000000))
    print(f"# METE_TEST_SEED={seed}")
    chance = random.Random(seed)
    for i in range(6):
        env = {**os.environ, "LD_PRELOAD": str(preload_for_all),
               "METE": f"observe=yes,recording={tmp_path}/{i}.mete"}
        with subprocess.Popen([events, "endless"], env=env, stdout=subprocess.PIPE) as running:
            running.stdout.readline()
            time.sleep(chance.random() / 20)
            running.kill()
            said = running.stdout.read().split()
        finished = int(said[-1]) if said else 1000
        recording = Recording(tmp_path / f"{i}.mete")
        frames = recording.frame_names()
        assert frames and recording.state == "running"
        sites = [site for site in recording.sites if site.allocations > 1]
        assert len(sites) == 2, sites
        assert all(site.allocations >= finished for site in sites)
        kept = next(site for site in sites if site.sizes[3])
        assert kept.bytes_allocated in (100 * kept.allocations, 100 * (kept.allocations - 1))
        assert kept.frees == 0
        for name in ("allocations", "frees"):
            over_sites = sum(getattr(site, name) for site in recording.sites)
            assert abs(over_sites - recording.total(name)) <= 1


def test_a_process_killed_while_it_adds_stacks_leaves_a_whole_recording(
        mete, preload_for_all, events, tmp_path):
    """Whatever moment it is: what is counted points to what is there, and sums agree but for the
    one call that each of three threads may have been in."""
    threads = 3
    seed = int(os.environ.get("METE_TEST_SEED", "20"))
    print(f"# METE_TEST_SEED={seed}")
    chance = random.Random(seed)
    path = tmp_path / "killed.mete"
    sites = []
    for _ in range(20):
        path.unlink(missing_ok=True)
        env = {**os.environ, "LD_PRELOAD": str(preload_for_all),
               "METE": f"observe=yes,recording={path}"}
        with subprocess.Popen([events, "endless_stacks"], env=env, stdout=subprocess.PIPE) as run:
            run.stdout.readline()
            time.sleep(chance.random() ** 2 / 8)
            run.kill()
        done = subprocess.run([mete, "report", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done
        assert "contradicts itself" not in done.stdout and "cut off" not in done.stdout, done.stdout
        recording = Recording(path)
        assert recording.state == "running"
        sites.append(len(recording.sites))
        named = [site.kind == "stack" for site in recording.sites]
        assert sum(named) >= len(named) - 4
        for name, most in (("allocations", threads), ("frees", threads),
                           ("bytes_allocated", 50 * threads), ("bytes_freed", 50 * threads)):
            over_sites = sum(getattr(site, name) for site in recording.sites)
            assert abs(over_sites - recording.total(name)) <= most, name
        for site in recording.sites:
            assert all(path for path, _ in site.frames) and len(site.frames) == site.depth
    print(f"# killed at {sorted(sites)} sites")
    assert max(sites) > 100


# --- threads


def test_threads_that_come_and_go_leave_few_rows(observed, events):
    count = 5000
    recording = observed(events, "row", count).only().check()
    assert function(recording, "thread_site") == (
        11 * count, 550 * count, 10 * count, 10 * count, 0, 50 * count)
    assert len(recording.rows("rows")) < 10
    assert not any(recording.lost.values())


def test_two_hundred_threads_at_once(observed, events):
    recording = observed(events, "at_once", 200).only().check()
    assert function(recording, "thread_site") == (2200, 110000, 2000, 2000, 0, 10000)
    assert len(recording.threads) == 202
    assert not any(recording.lost.values())


def test_after_a_threads_end_and_after_mains(observed, events):
    """Destructors of thread-specific data, of which libc calls some after ours; atexit handlers."""
    recording = observed(events, "late", 5).only().check()
    found = recording.by_function()
    late = [found["destructor_site"], found["thread"]]
    assert sum(site.allocations for site in late) == 5 * 4 * 4
    assert sum(site.bytes_allocated for site in late) == 5 * 4 * 4 * 30
    assert sum(site.frees for site in late) == 5 * 4 * 3
    assert found["exit_site"].figures() == (2, 140, 1, 1, 0, 70)
    assert not any(recording.lost.values())


def test_callers_whose_stack_is_not_aligned(by_itself, run_native, preload_for_all,
                                            compile_program):
    """Generated and hand-written code gets along with libc's malloc on such a stack."""
    askew = compile_program("askew.c")
    assert run_native([askew]).status == 0
    assert run_native([askew], preload=preload_for_all).status == 0
    done, recordings = by_itself(askew)
    assert (done.status, done.stderr) == (0, b""), done
    assert len(recordings) == 2
    # Six in each round, of which two are a realloc's; and what libc takes for itself.
    assert sum(site.allocations for site in recordings[0].check().sites) >= 6 * 2200
    assert sum(site.reallocations for site in recordings[0].sites) == 2 * 2200


# --- code that comes and goes


def test_unloaded_libraries_keep_their_names(observed, compile_program, compile_library):
    """Two libraries take turns at the same address, where each has other code."""
    first = compile_library("library_plugin.c", "-DNAME=plugin_one")
    second = compile_library("library_plugin.c", "-DNAME=plugin_two", '-DPADDING="64"')
    program = compile_program("unloading.c", "-ldl")
    recording = observed(program, 200, first, second).only().check()
    found = recording.by_function()
    for name in ("plugin_one", "plugin_two"):
        assert found[name].figures() == (200, 6600, 100, 100, 0, 3300)
    for site in recording.sites:
        if site.stack[:1] in (["plugin_one"], ["plugin_two"]):
            path = first if site.stack[0] == "plugin_one" else second
            assert site.frames[0][0] == str(path) and site.stack[1] == "plugin", site
    rows = [row for row in recording.rows("modules")
            if recording.text(row["path"]) in (str(first), str(second))]
    assert len(rows) == 2, "a library that comes back has the row that it had"
    assert all(row["unloaded_ms"] for row in rows)
    assert all(row["build_id_size"] == 20 for row in rows)


def test_a_library_loaded_by_a_relative_path_has_names(observed, compile_program, compile_library):
    """It is unloaded in the end: its names come from the file."""
    library = compile_library("library_plugin.c", "-DNAME=plugin_one")
    program = compile_program("unloading.c", "-ldl")
    recording = observed(program, 3, f"./{library.name}", cwd=library.parent).only().check()
    assert recording.by_function()["plugin_one"].allocations == 6
    paths = [recording.text(row["path"]) for row in recording.rows("modules")]
    assert str(library) in paths and all(path.startswith("/") for path in paths), paths


def test_stacks_go_on_in_a_program_with_gaps_between_its_segments(observed, compile_program):
    """Where they are aligned to large pages the loader tells of each piece by itself."""
    program = compile_program("rough.c", "-Wl,-z,max-page-size=0x200000", "-Wl,--build-id")
    recording = observed(program, "held").only().check()
    stack = next(site.stack for site in recording.sites if site.stack[:1] == ["held"])
    assert "main" in stack and stack[-1] == "_start", stack
    row = next(row for row in recording.rows("modules")
               if recording.text(row["path"]) == str(program))
    assert row["build_id_size"] == 20


# --- what is rough


@pytest.fixture(name="rough")
def rough_program(compile_program):
    return compile_program("rough.c")


def test_a_clock_of_the_programs_own_is_not_asked(observed, rough):
    """It may allocate, or tell another time, and what it counts is its own affair."""
    done = observed(rough, "own_clock")
    assert (done.status, done.out) == (0, b"0\n"), done
    recording = done.only().check()
    assert recording.by_function()["own_clock"].allocations == 1000
    assert recording.process["duration_ms"] < 60000


def test_a_librarys_clock_may_allocate_while_it_is_asked(observed, compile_library, rough):
    """The preload object finds it before libc's: what it allocates comes within a count."""
    clock = compile_library("library_strange_clock.c")
    done = observed(rough, "held", env={"LD_PRELOAD": str(clock)})
    assert done.status == 0, done
    recording = done.only().check()
    assert recording.by_function()["held"].figures()[:2] == (1, 64 << 20)


def test_who_asks_for_nothing_requests_no_byte(observed, rough):
    recording = observed(rough, "nothing").only().check()
    assert recording.by_function()["nothing"].figures() == (100, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("what,before,after", [("late", 16, 64 << 20), ("held", 64 << 20, None)])
def test_idle_time_keeps_what_was_live_then(observed, rough, what, before, after):
    recording = observed(rough, what).only().check()
    points = recording.rows("timeline")
    middle = points[len(points) // 2]["live_bytes"] if what == "held" else (
        points[len(points) // 3]["live_bytes"])
    assert middle == before
    if after:
        assert points[-1]["live_bytes"] >= after


def test_threads_that_only_free_leave_nothing_behind(observed, rough):
    done = observed(rough, "frees_only")
    assert done.status == 0 and int(done.out) < 4096, done  # KiB
    recording = done.only().check()
    assert recording.by_function()["frees_only"].figures()[:3] == (3000, 3000000, 3000)


def test_what_another_thread_frees_is_not_temporary(observed, events):
    """Also where the next one lies at the same place."""
    recording = observed(events, "handed_over", 100).only().check()
    assert function(recording, "kept_site") == (50, 5000, 50, 0, 0, 0)
    assert function(recording, "hand_over") == (50, 50 << 20, 50, 0, 0, 0)


def test_who_gives_up_all_system_calls_is_counted_until_then(observed, rough):
    done = observed(rough, "strict", options=["--no-symbols"])
    assert (done.status, done.out) == (0, b"well\n"), done
    recording = done.only()
    assert recording.lost["strict seccomp, and all that came after it"] == 1
    assert recording.total("allocations") == 1


def test_children_that_begin_with_threads_have_one_recording_each(observed, compile_program):
    done = observed(compile_program("fork_pools.c"), 60, options=["--no-symbols"])
    assert (done.status, done.out) == (0, b"0\n"), done
    assert len(done.recordings) == 61
    for recording in done.recordings:
        assert recording.check().process["image"] == 1
        work = [site for site in recording.sites if site.allocations == 1000 * 4]
        assert len(work) == 1 and work[0].frees == 4000, recording.path


def test_what_a_childs_first_call_allocated_is_its_childs_too(observed, rough):
    done = observed(rough, "grandchild")
    figures = [recording.check().by_function().get("grandchild") for recording in done.recordings]
    found = [(site.allocations, site.frees, site.inherited) for site in figures if site]
    assert sorted(found) == [(1, 0, 0), (1, 1, 1)], done


def test_children_forked_in_handlers_write_nothing_of_their_parents(observed, rough):
    done = observed(rough, "handler_forks", options=["--no-children"])
    count, bad = map(int, done.out.split())
    assert (done.status, bad) == (0, 0), done
    recording = done.only()
    found = recording.by_function()["handler_forks"]
    lost = sum(recording.lost.values())
    assert count - lost <= found.allocations <= count
