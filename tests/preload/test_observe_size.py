"""A recording grows with the number of distinct stacks, and with nothing else: neither with what
happens at them nor with time nor with threads, of which what is told is what was true of all."""

import json
import subprocess

import pytest

from recording import MAGIC

POINTS_MAX = 512
SNAPSHOTS_MAX = 64
THREADS_MAX = 4095


@pytest.fixture(name="fast", scope="session")
def steady_program_with_a_fast_clock(compile_program, compile_library):
    """By its clock, which it finds before libc's, 2000 times as long."""
    clock = compile_library("library_fast_clock.c")
    return compile_program("steady.c", "-Wl,--no-as-needed", str(clock))


def check_course(recording):
    """The timeline and the snapshots reach over the whole time, in so many steps at most."""
    process = recording.process
    points = recording.rows("timeline")
    interval = process["timeline_interval_ms"]
    assert len(points) <= POINTS_MAX
    assert len(points) * interval <= process["duration_ms"]
    assert max(thread["last_ms"] for thread in recording.threads) <= (len(points) + 1) * interval
    allocations = [point["allocations"] for point in points]
    assert allocations == sorted(allocations)
    for row in recording.rows("rows"):
        assert row["snapshots"] <= SNAPSHOTS_MAX
        step = process["snapshot_interval_ms"] << row["interval_shift"]
        assert row["snapshots"] * step <= process["duration_ms"]
    return len(points)


def test_a_hundred_times_the_events_take_no_more_room(finished, steady):
    few, _, small = finished(steady, "events", 10**5)
    many, _, large = finished(steady, "events", 10**7)
    assert many > 90 * few
    assert small == large


def test_an_hour_takes_no_more_room_than_a_minute(finished, fast):
    """By a clock that the recorder asks, too."""
    _, _, small = finished(fast, "seconds", 60)
    _, hour, large = finished(fast, "seconds", 3600)
    assert max(thread["last_ms"] for thread in hour.threads) > 3_500_000, "the clock is not asked"
    assert small == large


@pytest.mark.parametrize("seconds", [60, 3600, 6000])
def test_the_course_reaches_over_the_whole_time(by_itself, fast, seconds):
    """In steps that double: it is never more than full, and at least half full."""
    done, (recording,) = by_itself(fast, "seconds", seconds)
    assert done.status == 0, done
    assert recording.process["duration_ms"] >= seconds * 900
    assert check_course(recording) >= POINTS_MAX // 2 - 1
    snapshots = [row["snapshots"] for row in recording.rows("rows")]
    assert max(snapshots) >= SNAPSHOTS_MAX // 2 - 1


def test_a_thousand_sites_take_less_than_a_megabyte(observed, by_itself, compile_program):
    """Of the finished file, with its names, and of what the growing one takes."""
    program = compile_program("confined.c")
    done = observed(program, "not", 4096)
    sites = len(done.only().sites)
    assert sites > 8000
    size = done.only().path.stat().st_size
    assert size <= sites * 1000, size / sites
    _, (growing,) = by_itself(program, "not", 4096)
    assert growing.path.read_bytes()[:8] == MAGIC
    size = growing.path.stat().st_blocks * 512
    assert size <= sites * 1000, size / sites


def test_a_thousand_sites_of_many_threads_take_no_more(mete, observed, compile_program):
    """While it runs each thread counts in a row of its own; the finished file has their sums, and
    says who they were."""
    threads, stacks = 64, 1000
    done = observed(compile_program("crowd.c"), threads, stacks)
    assert done.status == 0, done
    recording = done.only().check()
    assert recording.path.stat().st_size <= len(recording.sites) * 1000
    crowded = [site for site in recording.sites if "take_one" in site.stack]
    assert len(crowded) == stacks
    assert {site.figures() for site in crowded} == {(threads, 40 * threads, threads, 0, 0, 0)}
    # Each keeps up to 4 KiB to itself before it adds to what they share.
    at_peak = sum(site.at_peak_bytes for site in crowded)
    assert 40 * threads * stacks - 4096 * threads <= at_peak <= 40 * threads * stacks
    assert len(recording.rows("rows")) <= len(recording.sites)

    told = subprocess.run([mete, "report", "--json", recording.path], capture_output=True,
                          check=True)
    peak = json.loads(told.stdout)["peak"], json.loads(told.stdout)["totals"]
    assert not peak[0]["exact"] and peak[1]["peak_bytes"] >= peak[1]["at_peak_bytes"]
    workers = [thread["tid"] for thread in json.loads(told.stdout)["threads"]]
    for site in json.loads(told.stdout)["sites"]:
        if "take_one" not in [frame["function"] for frame in site["frames"]]:
            continue
        assert site["thread_count"] == threads and not site["peak_exact"]
        assert len(set(site["threads"])) == threads and set(site["threads"]) <= set(workers)
        assert site["at_peak_bytes"] <= site["peak_bytes"] <= 40 * threads


def test_threads_past_the_limit_are_counted_together(mete, observed, compile_program):
    """Of what they did only the stacks are unknown: nothing is lost, nor how many they were."""
    threads, stacks = 4300, 2
    done = observed(compile_program("crowd.c"), threads, stacks)
    if done.status == 77:
        pytest.skip("so many threads are not allowed here")
    recording = done.only().check()
    crowded = [site for site in recording.sites if "take_one" in site.stack]
    (past,) = [site for site in recording.sites if site.kind == "thread"]
    assert len(crowded) == stacks and not any(recording.lost.values())
    known = sum(site.allocations for site in crowded)
    assert past.allocations == threads * stacks - known
    assert past.bytes_allocated == 40 * past.allocations
    # Main and whoever began before the limit have rows of their own.
    assert stacks * 4000 < known <= stacks * THREADS_MAX
    assert sum(site.live_blocks for site in [*crowded, past]) == 0
    told = json.loads(subprocess.run([mete, "report", "--json", recording.path],
                                     capture_output=True, check=True).stdout)
    assert told["process"]["threads"] == threads + 1 > len(told["threads"])
    assert "4301 threads" in done.err.decode()


def test_what_another_thread_frees_was_never_all_live(mete, observed, compile_program):
    """Of a thread's own row all would be that it ever allocated."""
    done = observed(compile_program("handover.c"), 1000)
    assert done.status == 0, done
    recording = done.only().check()
    told = subprocess.run([mete, "report", "--json", recording.path], capture_output=True,
                          check=True)
    (site,) = [site for site in json.loads(told.stdout)["sites"]
               if any(frame["function"] == "make" for frame in site["frames"])]
    assert site["allocations"] == site["frees"] > 1000 and site["thread_count"] == 2
    # 64 in slots, one with each thread; and their moments are not quite the same.
    most = 2 * 1000 * 66
    assert 1000 <= site["peak_bytes"] <= most
    assert len(site["live_over_time"]) > 10
    assert all(-most <= live <= most for live in site["live_over_time"]), site["live_over_time"]
