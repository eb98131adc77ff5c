"""The front door: what the Makefile and its scripts do with what people hand them."""

import subprocess


def run(*command, **options):
    """A command with nothing to read; its status and what it wrote, as text."""
    return subprocess.run(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, check=False, timeout=100, **options,
    )


def test_meson_alone_leaves_out_what_takes_ten_minutes(build):
    listing = ["meson", "test", "-C", build, "--no-rebuild", "--list"]
    tests = run(*listing).stdout
    assert "heap/model" in tests and "soak" not in tests
    assert "soak/model" in run(*listing, "--suite", "soak").stdout
