"""Ten times as long under load: the recording is no larger. Killed at many moments: it has all."""

import os

SECONDS = int(os.environ.get("METE_SOAK_SECONDS", "600"))


def test_a_long_run_takes_no_more_room_than_a_short_one(finished, steady):
    few, _, small = finished(steady, "seconds", max(SECONDS // 10, 1), timeout=None)
    many, _, large = finished(steady, "seconds", max(SECONDS, 10), timeout=None)
    print(f"# {few} and {many} events, {large['size']} bytes")
    assert many > few
    assert small == large


def test_two_hundred_killed_at_any_moment_lose_nothing(killed, compile_program):
    lives = compile_program("lives.c")
    rounds = [killed(lives) for _ in range(200)]
    print(f"# killed after {min(rounds)} to {max(rounds)} calls")
    assert min(rounds) < 1000 < max(rounds)
