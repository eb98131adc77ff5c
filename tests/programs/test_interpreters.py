"""Interpreters print the same on mete's heap as natively."""

import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).resolve().parent

# python3's own allocator would hide malloc; its hashes would be random.
PYTHON = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_object_is_in_the_program(preload, run_native, run_preloaded):
    # Or all the others would compare glibc with glibc.
    maps = ["cat", "/proc/self/maps"]
    assert preload.name.encode() not in run_native(maps).stdout
    assert preload.name.encode() in run_preloaded(maps).stdout


def test_python3_prints_the_same(same_with_mete):
    same_with_mete(["/usr/bin/python3", HERE / "workload.py"], env=PYTHON)


def test_python3_with_its_own_allocator_prints_the_same(same_with_mete):
    env = {**PYTHON, "PYTHONMALLOC": "pymalloc"}
    same_with_mete(["/usr/bin/python3", HERE / "workload.py"], env=env)


def test_perl_prints_the_same(same_with_mete):
    same_with_mete(["perl", HERE / "workload.pl"], env={"PERL_HASH_SEED": "0"})


def test_lua_prints_the_same(same_with_mete):
    same_with_mete(["lua5.4", HERE / "workload.lua"])


def test_sqlite3_prints_the_same(same_with_mete):
    sql = (HERE / "workload.sql").read_bytes()
    native, _ = same_with_mete(["sqlite3", "-batch", ":memory:"], input=sql)
    assert native.stdout.startswith(b"400000|")


def test_nodejs_prints_the_same(same_with_mete):
    same_with_mete(["node", HERE / "workload.js"])


# Names of folders and processes, times, the machine's load, and what threads print in the order
# they happen to run in.
CHANGING = re.compile(
    rb"^== .*\n|^0:0\d:.*\n|^Total duration: .*\n| in [0-9.]+s$|^test_\w+ passed in .*\n"
    rb"|^.*\btasks are running$\n?|^<?task <thread .*\n|^<thread .*\n|^waiting for all tasks.*\n"
    rb"|task <thread \d+> will run for .*$",
    re.MULTILINE,
)


def steady(output):
    return CHANGING.sub(b"", output)


@pytest.mark.parametrize(
    "suite",
    [
        "test_json", "test_dict", "test_list", "test_re",
        "test_threading", "test_fork1", "test_subprocess",
    ],
)
def test_pythons_own_tests_pass(suite, same_with_mete, tmp_path):
    native, _ = same_with_mete(
        ["/usr/bin/python3", "-m", "test", "-v", suite],
        # Each case decides for itself what hashes it needs.
        env={"PYTHONMALLOC": "malloc", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(tmp_path)},
        clean=steady, timeout=240,
    )
    assert b"Tests result: SUCCESS" in native.stdout
