"""Programs do under `mete run` what they do natively, and the sums over what is recorded of each
site are what is recorded of the whole."""

import concurrent.futures
import pathlib
import shutil
import socket
import subprocess
import time

import pytest

from conftest import ENVIRONMENT, difference, run, shown
from recording import observe

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture()
def same_observed(mete, tmp_path):
    """Runs a command natively and, at once, under `mete run`; fails unless both end alike and with
    success. Gives what was recorded. `cwd` may be a pair."""

    def compare(command, *, cwd=None, env=None, options=("--no-symbols",), **more):
        folders = cwd if isinstance(cwd, tuple) else (cwd, cwd)
        env = {**ENVIRONMENT, **(env or {})}
        recordings = tmp_path / "recordings"
        shutil.rmtree(recordings, ignore_errors=True)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            native = pool.submit(run, command, env=env, cwd=folders[0], **more)
            ours = pool.submit(observe, mete, command, recordings, options,
                               env={**env, "XDG_RUNTIME_DIR": ""}, cwd=folders[1], **more)
            native, ours = native.result(), ours.result()
        assert native.status == 0, f"it fails natively\n{native!r}"
        assert ours.status == native.status, f"it fails with mete\n{ours!r}"
        assert native.stdout == ours.out, difference(native.stdout, ours.out)
        assert not ours.said(), ours
        for recording in ours.recordings:
            recording.check()
            assert not any(recording.lost.values()), recording.lost
        return ours.recordings

    return compare


def largest(recordings):
    """The recording with the highest peak."""
    return max(recordings, key=lambda item: item.process["peak_bytes"])


def shares(recording):
    """How much of what was allocated has a whole stack, and a stack at all."""
    whole = sum(site.allocations for site in recording.sites if site.end == "complete")
    some = sum(site.allocations for site in recording.sites if site.depth > 0)
    return whole / recording.total("allocations"), some / recording.total("allocations")


def test_python3(same_observed):
    recording = largest(same_observed(["/usr/bin/python3", HERE / "workload.py"], env=PYTHON))
    assert recording.total("allocations") > 100000
    assert shares(recording)[0] > 0.99


def test_perl(same_observed):
    env = {"PERL_HASH_SEED": "0"}
    recording = largest(same_observed(["perl", HERE / "workload.pl"], env=env))
    assert shares(recording)[0] > 0.99


def test_sqlite3(same_observed):
    sql = (HERE / "workload.sql").read_bytes()
    (recording,) = same_observed(["sqlite3", "-batch", ":memory:"], input=sql)
    assert shares(recording)[0] > 0.99


def test_lua(same_observed):
    (recording,) = same_observed(["lua5.4", HERE / "workload.lua"], options=())
    assert shares(recording)[0] > 0.99


def test_nodejs(same_observed):
    """Code made at run time has no rules to follow: there stacks end, and say so."""
    recording = largest(same_observed(["node", HERE / "workload.js"]))
    ends = {site.end for site in recording.sites}
    assert ends <= {"complete", "no rule", "bounds", "unsupported", "depth", "signal"}
    assert shares(recording)[1] > 0.99


def test_gcc(same_observed, tmp_path):
    folders = (tmp_path / "native", tmp_path / "mete")
    made = subprocess.run(
        ["/usr/bin/python3", HERE / "make_c.py", "20"], stdout=subprocess.PIPE, check=True)
    for folder in folders:
        folder.mkdir()
        (folder / "large.c").write_bytes(made.stdout)
    recordings = same_observed(["gcc", "-O2", "-c", "large.c", "-o", "large.o"], cwd=folders)
    assert (folders[0] / "large.o").read_bytes() == (folders[1] / "large.o").read_bytes()
    programs = {recording.program for recording in recordings}
    assert "cc1" in programs and len(programs) >= 3
    assert largest(recordings).program == "cc1"
    assert shares(largest(recordings))[0] > 0.99


def test_clang(same_observed, tmp_path):
    folders = (tmp_path / "native", tmp_path / "mete")
    for folder in folders:
        folder.mkdir()
        shutil.copy(HERE / "throwing_frames.cpp", folder)
    command = ["clang++", "-std=c++17", "-c", "throwing_frames.cpp", "-o", "frames.o"]
    recordings = same_observed(command, cwd=folders)
    native, ours = [(folder / "frames.o").read_bytes() for folder in folders]
    assert native == ours
    assert shares(largest(recordings))[0] > 0.9  # many constructors: see below


def test_exceptions(same_observed, compile_c):
    program = compile_c(HERE / "throwing_frames.cpp", "-std=c++17")
    (recording,) = same_observed([program], options=())
    assert shares(recording)[0] > 0.999  # the loader calls constructors without a rule


def test_a_thousand_threads(same_observed, compile_c):
    (recording,) = same_observed([compile_c(HERE / "thousand_threads.c")])
    assert len(recording.threads) > 1000


GIT = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "init.defaultBranch",
    "GIT_CONFIG_VALUE_0": "main", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_COMMITTER_DATE": "1700000000 +0000",
}


def test_git(same_observed, tmp_path):
    folders = (tmp_path / "native", tmp_path / "mete")
    for folder in folders:
        folder.mkdir()
        for i in range(200):
            (folder / f"f{i}").write_text("".join(f"line {j * i % 97}\n" for j in range(i + 5)))
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"],
                  ["gc", "-q", "--aggressive", "--prune=now"], ["log", "--stat", "-p"],
                  ["fsck", "--full", "--strict"], ["grep", "-c", "line 9"]):
        recordings = same_observed(["git", *words], cwd=folders, env=GIT)
        assert recordings and all(shares(recording)[0] > 0.9 for recording in recordings
                                  if recording.total("allocations") > 1000)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, *words):
    """What redis-cli answers, once the server is there."""
    command = ["redis-cli", "-h", "127.0.0.1", "-p", str(port), *words]
    for _ in range(200):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=60, check=False)
        if b"Could not connect" not in done.stdout:
            return done.stdout.decode().strip()
        time.sleep(0.05)
    raise AssertionError(f"redis-server does not answer\n{shown(done.stdout)}")


def test_redis(mete, tmp_path):
    port = free_port()
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
               "--appendonly", "no", "--dir", tmp_path]
    script = ("for i = 1, 20000 do redis.call('set', 'k' .. i, string.rep('v', i % 700)) end "
              "for i = 1, 20000, 2 do redis.call('del', 'k' .. i) end "
              "return redis.call('dbsize')")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        server = pool.submit(observe, mete, command, tmp_path / "recordings")
        try:
            assert ask(port, "eval", script, "0") == "10000"
            assert ask(port, "strlen", "k1400") == "0" and ask(port, "strlen", "k1398") == "698"
        finally:
            ask(port, "shutdown", "nosave")
        done = server.result(timeout=60)
    assert done.status == 0 and not done.said(), done
    recording = done.only().check()
    assert recording.total("allocations") > 40000 and not any(recording.lost.values())
    assert shares(recording)[0] > 0.99
    assert any("main" in site.stack for site in recording.sites)
