"""jemalloc's calls that take or return blocks."""

import pathlib

import pytest

JEMALLOC = "libjemalloc.so.2"


@pytest.fixture(scope="session")
def program(compile_program):
    """The program asks for the calls as redis-server does, but runs with whatever is preloaded."""
    return compile_program("extended.c", "-fPIC", "-Wl,-z,dynamic-undefined-weak")


def test_extended_calls_do_as_the_manual_says(program, run_preloaded):
    """Protects programs linked against jemalloc: alignment, zeroing, growth in place, both ways
    between the two families."""
    result = run_preloaded([program])
    assert result.status == 0, result


def test_who_looks_for_jemalloc_does_not_find_it_in_us(compile_program, run_preloaded):
    """MariaDB would take us for it, ask for its version and print whatever is there."""
    result = run_preloaded([compile_program("asks_for_jemalloc.c", "-ldl")])
    assert result.status == 0 and b"undefined symbol: mallctl" in result.stdout, result


def test_the_test_holds_for_jemalloc(program, run_native):
    """Proves the test itself, where jemalloc is installed."""
    found = [p for p in pathlib.Path("/usr/lib").glob(f"*/{JEMALLOC}")]
    if not found:
        pytest.skip(f"{JEMALLOC} is not installed")
    result = run_native([program], env={"LD_PRELOAD": str(found[0])})
    assert result.status == 0, result
