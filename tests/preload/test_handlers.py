"""What is counted in signal handlers, and goes on where those interrupted: exact, or said."""

import pytest


def function(recording, name):
    """A function's figures: allocations, bytes, frees, temporary, reallocations, live bytes."""
    return recording.by_function()[name].figures()


def test_handlers_that_allocate_are_counted_or_said_to_be_lost(observed, events):
    done = observed(events, "interrupted", 40000)
    outside, inside = map(int, done.out.split())
    recording = done.only().check()
    found = recording.by_function()
    assert found["thread_site"].allocations == outside
    assert found["thread_site"].frees == outside
    counted = found["handler_site"].allocations + found["signal"].allocations
    assert counted + sum(recording.lost.values()) == inside
    assert inside > 30, "the timer has hardly come"


def test_jumps_out_of_handlers_do_not_end_the_counting(observed, events):
    done = observed(events, "left_by_jumps", 200)
    assert (done.status, done.out) == (0, b"200\n"), done
    recording = done.only()
    # Exact again, at the same depth as before and deeper.
    assert function(recording, "kept_site") == (100, 10000, 0, 0, 0, 10000)
    # How many the timer leaves time for is the machine's business.
    assert recording.by_function()["thread_site"].allocations > 200
    # What a jump went out of may be counted in its site and not in the totals.
    left = recording.lost.pop("left half-way by the jump of a handler")
    assert left <= 200
    assert sum(recording.lost.values()) == 0


def test_children_of_handlers_go_on_where_those_interrupted(observed, events):
    """What was interrupted in the parent goes on in the child, where the parent's rows are not."""
    done = observed(events, "forked_by_handler", 40)
    assert (done.status, done.out) == (0, b"parent\n"), done
    assert len(done.recordings) >= 40
    for recording in done.recordings:
        assert recording.state in ("ended", "waited")
        assert function(recording, "kept_site") == (100, 10000, 0, 0, 0, 10000)
        if recording.process["inherits_from_pid"]:
            assert function(recording, "child_site") == (1, 60, 0, 0, 0, 60)


SIZE = 20000  # of the block in stepped.c


@pytest.fixture(name="stepped")
def stepped_program(compile_program):
    return compile_program("stepped.c")


# Of an allocation from a new stack, which takes some 3000 instructions, and a free: the whole of
# its way, and each instruction where the turn is taken.
@pytest.mark.parametrize(("first", "stride", "count"), [(0, 97, 60), (90, 1, 60)])
def test_a_handler_may_fork_between_any_two_instructions(observed, stepped, first, stride, count):
    done = observed(stepped, first, stride, count)
    assert done.status == 0, done
    assert len(done.recordings) > count * 2 // 3, "most tries have so many instructions"
    peaks = []
    for recording in done.recordings:
        recording.check()
        assert function(recording, "kept_site") == (100, 10000, 0, 0, 0, 10000)
        assert not any(recording.lost.values())
        if not recording.process["inherits_from_pid"]:
            continue
        assert function(recording, "child_site") == (1, 60, 0, 0, 0, 60)
        # Freed while it is still the parent's, by what is counted there: then it is left.
        allocations, _, frees, _, _, live = function(recording, "stepped_site")
        assert allocations <= 2 and live in (0, SIZE)
        assert frees * SIZE + live == allocations * SIZE
        peaks.append(recording.process["peak_bytes"])
    # Two of them never lived at once: where they seem to, the count had not begun or was over.
    assert sum(peak > SIZE * 2 for peak in peaks) <= count // 20
    assert sum(peak < SIZE * 2 for peak in peaks) > count // 3
