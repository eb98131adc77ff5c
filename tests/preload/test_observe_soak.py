"""Ten times as long under load: the recording is no larger."""

import os

SECONDS = int(os.environ.get("METE_SOAK_SECONDS", "600"))


def test_a_long_run_takes_no_more_room_than_a_short_one(finished, steady):
    few, _, small = finished(steady, "seconds", max(SECONDS // 10, 1), timeout=None)
    many, _, large = finished(steady, "seconds", max(SECONDS, 10), timeout=None)
    print(f"# {few} and {many} events, {large['size']} bytes")
    assert many > few
    assert small == large
