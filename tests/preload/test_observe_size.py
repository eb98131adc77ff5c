"""A recording grows with the number of distinct stacks, and with nothing else: neither with what
happens at them nor with time."""

import pytest

from recording import MAGIC

POINTS_MAX = 512
SNAPSHOTS_MAX = 64


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
