"""mete_track: memory of any origin is counted under its name, and looked at like any block; without
mete the program is what it was."""

import collections
import json
import pathlib
import subprocess

import pytest

from recording import LEAK_KINDS

INCLUDE = f"-I{pathlib.Path(__file__).resolve().parents[2] / 'include'}"
BUILDS = {
    "c": (("-fPIE", "-pie"), None),
    "c without optimization": (("-O0",), None),
    "c at a fixed place": (("-fno-pie", "-no-pie"), None),
    "c++": (("-xc++", "-std=c++17"), "g++"),
    "c++ at a fixed place": (("-xc++", "-fno-pie", "-no-pie", "-O2"), "g++"),
    "clang": (("-fPIE", "-pie"), "clang"),
    "clang at a fixed place": (("-fno-pie", "-no-pie"), "clang"),
}
FORMS = {
    "held": ("reachable", 1, 8192), "shared": ("reachable", 1, 8000),
    "closed": ("reachable", 1, 4096), "huge": ("reachable", 1, 1 << 36),
    "device": ("reachable", 1, 4 << 20),
    "lost": ("direct", 1, 8192),
    "behind": ("indirect", 1, 4095), "lost device": ("direct", 1, 4 << 20),
    "ignored": ("ignored", 1, 4096), "first object": ("interior", 1, 96),
    "second object": ("direct", 1, 96), "of no size": ("reachable", 1, 0),
    "named": ("reachable", 1, 333), "large and named": ("reachable", 1, 2 << 20),
    "stack": ("reachable", 1, 1 << 18), "in data": ("reachable", 1, 64),
    "in thread": ("reachable", 1, 64), "in frame": ("reachable", 1, 64),
}
# What malloc gave, by its size: what leads to it is tracked.
BLOCKS = {11: "reachable", 12: "reachable", 13: "reachable", 14: "reachable", 21: "indirect",
          31: "reachable",
          32: "indirect", 41: "reachable", 51: "reachable", 52: "reachable", 53: "reachable",
          1000: "interior"}


@pytest.fixture(scope="session")
def tracked(compile_program):
    """The program, as one of BUILDS."""

    def build(name="c"):
        flags, compiler = BUILDS[name]
        return compile_program("tracked.c", INCLUDE, *flags, compiler=compiler)

    return build


def names_of(recording):
    return [recording.text(row["name"]) for row in recording.rows("sites")]


def by_name(recording):
    """Sites that have one; two stacks may share it."""
    found = collections.defaultdict(list)
    for name, site in zip(names_of(recording), recording.sites):
        if name:
            found[name].append(site)
    return found


def leaks_of(recording):
    """By name, or by size of the single block: the kinds that were found."""
    names = names_of(recording)
    named = collections.defaultdict(set)
    sized = collections.defaultdict(set)
    for row in recording.rows("leaks"):
        name = names[row["site"]]
        kind = LEAK_KINDS[row["kind"]]
        if name:
            named[name].add((kind, row["blocks"], row["bytes"]))
        else:
            sized[row["bytes"]].add(kind)
    return named, sized


@pytest.mark.parametrize("form", BUILDS)
def test_each_is_what_it_is(observed, run_native, tracked, form):
    program = tracked(form)
    alone = run_native([program, "kinds"])
    assert alone.status == 0 and not alone.stderr, alone
    done = observed(program, "kinds")
    assert (done.status, done.out) == (0, b""), done
    recording = done.only().check()
    assert recording.leak_state == "scanned"
    named, sized = leaks_of(recording)
    # The end of a neighbour's that somebody remembers is its start.
    assert named.pop("inside") in ({("interior", 1, 4096)}, {("reachable", 1, 4096)})
    assert named == {name: {verdict} for name, verdict in FORMS.items()}
    for size, kind in BLOCKS.items():
        assert sized[size] == {kind}, (size, sized[size])
    sites = by_name(recording)
    assert set(sites) == {*FORMS, "inside", "gone", "replaced", "replacing", "named and freed",
                          "part", "whole"}
    assert [site.figures() for site in sites["gone"]] == [(1, 4096, 1, 1, 0, 0)]
    assert [site.figures() for site in sites["replaced"]] == [(1, 1, 1, 1, 0, 0)]
    assert [site.figures() for site in sites["replacing"]] == [(1, 100, 1, 1, 0, 0)]
    assert [site.figures() for site in sites["named and freed"]] == [(1, 444, 1, 1, 0, 0)]
    assert [site.figures()[:3] for site in sites["part"]] == [(1, 100, 1)]
    assert [site.figures()[:3] for site in sites["whole"]] == [(1, 5000, 1)]
    assert sum(thread["frees_unseen"] for thread in recording.threads) == 1
    (held,) = sites["held"]
    stack = [name.removesuffix("()") for name in held.stack if name != "mete_track"]
    assert stack[:3] == ["make_held", "kinds", "main"]
    unnamed = [site for site in recording.sites if site.figures()[:3] == (1, 8, 0)]
    assert len(unnamed) == 2  # without a name, and with an empty one


def test_names_are_cut_between_letters_and_are_not_without_end(observed, tracked):
    done = observed(tracked(), "names")
    assert done.status == 0, done
    recording = done.only().check()
    names = [name for name in names_of(recording) if name]
    assert len(names) == 4096 and names[0] == "n" * 126
    assert names[1:] == [f"name {i}" for i in range(4095)]
    assert sum(site.allocations for site in recording.sites if site.live_bytes == 8) == 4096
    assert sum(site.live_blocks for site in recording.sites
               if site.depth and site.stack[0] in ("mete_track", "names")) == 5001
    assert not any(recording.lost.values()), recording.lost


def test_threads_count_exactly(observed, tracked):
    done = observed(tracked(), "threads")
    assert done.status == 0, done
    recording = done.only().check()
    sites = by_name(recording)
    for name in ("even", "odd"):
        assert sum(site.allocations for site in sites[name]) == 4 * 10000
    live = sum(site.live_blocks for name in ("even", "odd") for site in sites[name])
    last = {i % 100: i % 3 for i in range(20000)}
    assert live == 4 * sum(1 for left in last.values() if left != 0)
    assert not any(recording.lost.values()), recording.lost


def test_a_handler_may_track_too(observed, tracked):
    done = observed(tracked(), "handlers", timeout=60)
    assert done.status == 0, done
    recording = done.only()
    sites = by_name(recording)
    (mine,) = sites["by the program"]
    assert mine.allocations >= 200000 and mine.live_blocks == 0
    assert all(site.live_blocks == 0 for site in sites["by the handler"])
    lost = {reason: count for reason, count in recording.lost.items() if count}
    assert all("signal handler" in reason for reason in lost), lost


def test_handlers_may_jump_out_of_it(observed, run_native, tracked):
    assert run_native([tracked(), "jumping"], timeout=60).status == 0
    done = observed(tracked(), "jumping", timeout=60)
    assert done.status == 0, done


def test_a_child_inherits_it(observed, tracked):
    done = observed(tracked(), "children")
    assert done.status == 0, done
    parent, child = sorted(done.recordings, key=lambda item: item.process["inherits_from_pid"])
    parent.check()
    child.check()
    named, _ = leaks_of(parent)
    assert named == {"of the parent": {("reachable", 1, 4096)},
                     "freed by the child": {("reachable", 1, 4096)}}
    sites = by_name(child)
    (kept,) = sites["of the parent"]
    assert (kept.inherited, kept.live_bytes) == (1, 4096)
    (freed,) = sites["freed by the child"]
    assert (freed.inherited, freed.frees, freed.live_bytes) == (1, 1, 0)
    named, _ = leaks_of(child)
    assert named == {"of the parent": {("inherited", 1, 4096)},
                     "of the child": {("direct", 1, 64)}}


def test_a_confined_process_goes_on(observed, run_native, tracked):
    assert run_native([tracked(), "confined"]).status == 0
    done = observed(tracked(), "confined")
    assert done.status == 0, done
    assert set(by_name(done.only())) == {"before"}


def test_reports_call_it_by_its_name(observed, mete, tracked):
    done = observed(tracked(), "kinds")
    path = done.only().path

    def tell(*words):
        told = subprocess.run([mete, *words, path], capture_output=True, text=True, timeout=60,
                              check=False)
        assert (told.returncode, told.stderr) == (0, "")
        return told.stdout

    rows = [line for line in tell("leaks").splitlines() if "[lost device]" in line]
    assert len(rows) == 2 and "tracked.c" in rows[0]
    assert "[held]" in tell("leaks", "--all")
    assert "[held]" in tell("report", "--filter=held")
    sites = json.loads(tell("report", "--json"))["sites"]
    (held,) = [site for site in sites if site["name"] == "held"]
    assert held["live_bytes"] == 8192
    assert held["frames"][held["owner"]]["function"] == "make_held"
    folded = tell("report", "--folded=live").splitlines()
    (line,) = [line for line in folded if line.endswith(";[held] 8192")]
    assert ";main;kinds;make_held;" in line


def test_a_name_may_be_suppressed(observed, mete, tracked, tmp_path):
    done = observed(tracked(), "kinds")
    lines = tmp_path / "suppressions"
    lines.write_text("leak:lost device\n")
    told = subprocess.run([mete, "leaks", f"--suppressions={lines}", done.only().path],
                          capture_output=True, text=True, timeout=60, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert "[lost device]" not in told.stdout
    assert "suppressed in 1 block" in told.stdout
