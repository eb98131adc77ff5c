"""What the tests of the preload object share: tiny programs, and the two heaps they run on."""

import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess

import pytest

from recording import Recording, observe

PROGRAMS = pathlib.Path(__file__).resolve().parent / "programs"
# Warnings on: a test that misuses the C library by accident proves nothing.
C_FLAGS = [
    *["-O1", "-g", "-fno-builtin", "-pthread", "-D_GNU_SOURCE"],
    *["-Wall", "-Wextra", "-Wno-deprecated-declarations"],
]
LIBRARY_FLAGS = ["-shared", "-fPIC"]


@pytest.fixture(scope="session")
def compile_program(tmp_path_factory):
    """Compiles tests/preload/programs/NAME, once a session: compile_program(NAME, *flags)."""
    built = {}

    def compile_named(name, *flags, compiler=None):
        key = (name, flags, compiler)
        if key not in built:
            source = PROGRAMS / name
            output = tmp_path_factory.mktemp("programs") / source.stem
            compiler = compiler or ("g++" if source.suffix == ".cpp" else "gcc")
            command = [compiler, *C_FLAGS, source, "-o", output, *flags]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0 and not done.stderr, done.stderr
            built[key] = output
        return built[key]

    return compile_named


@pytest.fixture(scope="session")
def compile_text(tmp_path_factory):
    """Compiles C given as text: compile_text(name, text, *flags)."""

    def compile_it(name, text, *flags):
        folder = tmp_path_factory.mktemp("texts")
        (folder / f"{name}.c").write_text(text, encoding="utf-8")
        command = ["gcc", *C_FLAGS, folder / f"{name}.c", "-o", folder / name, *flags]
        subprocess.run(command, check=True)
        return folder / name

    return compile_it


@pytest.fixture(scope="session")
def compile_library(compile_program):
    """The same for a shared library."""

    def compile_named(name, *flags, compiler=None):
        return compile_program(name, *LIBRARY_FLAGS, *flags, compiler=compiler)

    return compile_named


@pytest.fixture(params=["glibc", "mete"])
def succeeds(request, run_native, run_preloaded):
    """Runs a program on glibc's heap, which proves the test, and on ours, which is the test.
    succeeds(command, status=0, quiet=True, …) → Run; `quiet` demands that fd 2 stay empty."""
    runner = run_native if request.param == "glibc" else run_preloaded

    def run_well(command, status=0, quiet=True, **options):
        result = runner(command, **options)
        assert result.status == status, result
        assert not quiet or not result.stderr, result
        return result

    run_well.heap = request.param
    return run_well


@pytest.fixture(scope="session")
def needs_libcxx():
    """Skips where clang and LLVM's C++ library are not installed."""
    if not shutil.which("clang++"):
        pytest.skip("clang++ is not installed")
    probe = subprocess.run(
        ["clang++", "-stdlib=libc++", "-x", "c++", "-", "-o", "/dev/null"],
        input="#include <string>\nint main() { return std::string().size(); }",
        capture_output=True, text=True, check=False,
    )
    if probe.returncode != 0:
        pytest.skip("libc++ is not installed")


@pytest.fixture(scope="session")
def events(compile_program):
    """A program for each event."""
    return compile_program("events.c")


@pytest.fixture(scope="session")
def known(compile_program):
    """A program whose sites are known."""
    return compile_program("known.c")


@pytest.fixture(scope="session")
def steady(compile_program):
    """A program whose load is always the same."""
    return compile_program("steady.c")


@pytest.fixture()
def observed(mete, tmp_path):
    """Runs a command under `mete run` in an empty folder: observed(word, …) → Observed."""

    def run_words(*words, **options):
        return observe(mete, words, tmp_path / "recordings", **options)

    return run_words


@pytest.fixture()
def by_itself(preload_for_all, run_native, tmp_path):
    """Runs a command with METE saying where to record: → its Run, its recordings."""

    def run_words(*words, env=None, **options):
        folder = tmp_path / "live"
        folder.mkdir(exist_ok=True)
        env = {"METE": f"observe=yes,recording={folder}/%p.%i.mete", **(env or {})}
        done = run_native(words, env=env, preload=preload_for_all, **options)
        return done, [Recording(path) for path in sorted(folder.glob("*.mete"))]

    return run_words


@pytest.fixture()
def finished(observed):
    """Runs steady.c under `mete run`: → its events, its recording, how many rows each table has but
    for the timeline, and the recording's size without that. What its words take is the same each
    time."""

    def run_steady(program, what, number, **options):
        done = observed(program, what, f"{number:010}", **options)
        assert done.status == 0, done
        recording = done.only().check()
        size = recording.path.stat().st_size
        recording.path.unlink()  # the next run wants an empty folder
        counts = {name: table[3] for name, table in recording.tables.items()}
        size -= recording.tables["timeline"][2] * counts.pop("timeline")
        return int(done.out), recording, {**counts, "size": size}

    return run_steady


@pytest.fixture()
def killed(observed, tmp_path):
    """A program that kills itself after a random time, with four threads that say after each call
    what they have done: killed(program). Every call that had returned is in the recording, at most
    the one that each thread was in is there beside or half there."""
    seed = int(os.environ.get("METE_TEST_SEED", "4"))
    print(f"# METE_TEST_SEED={seed}")
    chance = random.Random(seed)

    def kill(program):
        path = tmp_path / "progress"
        done = observed(program, "killed", int(chance.random() ** 2 * 60000), path)
        assert done.status == 128 + signal.SIGKILL, done
        recording = done.only()
        recording.path.unlink()  # the next run wants an empty folder
        said = list(struct.iter_unpack("<QQQ40x", path.read_bytes()))
        path.unlink()
        assert recording.leak_state == "awaited"
        assert not any(recording.lost.values()), recording.lost
        threads = {row["tid"]: row for row in recording.threads}
        for tid, allocated, freed in said:
            row = threads.get(tid, {"allocations": 0, "frees": 0})
            assert allocated <= row["allocations"] <= allocated + 1, (said, row)
            assert freed <= row["frees"] <= freed + 1, (said, row)
        site = recording.by_function()["thread_site"]
        for name, returned in zip(("allocations", "frees"), list(map(sum, zip(*said)))[1:]):
            assert returned <= getattr(site, name) <= returned + len(said), (name, said, site)
            over_sites = sum(getattr(site, name) for site in recording.sites)
            assert abs(over_sites - recording.total(name)) <= len(said), name
        assert abs(site.bytes_allocated - 50 * site.allocations) <= 50 * len(said)
        assert abs(site.bytes_freed - 50 * site.frees) <= 50 * len(said)
        return sum(allocated for _, allocated, _ in said)

    return kill
