"""What the tests of `mete run` share: how to call it, and a stand-in for the preload object."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from recording import said_in

PROGRAMS = pathlib.Path(__file__).resolve().parent / "programs"
# What a session of these tests under a tool would put into every program.
NOT_OURS = ("METE", "LD_PRELOAD", "XDG_RUNTIME_DIR", "TMPDIR")


class Done:
    """What `mete run` did: its status, and what was written, as bytes."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    def said(self):
        """What mete itself says, each on a line."""
        return said_in(self.err.decode("utf-8", "replace"))

    def __repr__(self):
        return f"status {self.status}\nstdout: {self.out!r}\nstderr: {self.err!r}"


def default_signals():
    """Python ignores the first two, a shell the others in what it starts beside itself; programs
    would inherit that."""
    others = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, *others):
        signal.signal(number, signal.SIG_DFL)


def clean_environment(**more):
    """The session's environment without what would reach mete or its programs."""
    env = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    env.update({name: str(value) for name, value in more.items()})
    return env


def call_mete(program, words, env=None, **options):
    """Runs a mete with some words to its end."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    done = subprocess.run(
        [program, *map(str, words)], env=clean_environment(**(env or {})), check=False,
        timeout=60, preexec_fn=default_signals, **options,
    )
    return Done(done.returncode, done.stdout or b"", done.stderr or b"")


@pytest.fixture()
def memory():
    """A folder of our own in memory, since other tests run beside this one."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mete-test-", dir="/dev/shm"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture()
def run(mete, memory, tmp_path):
    """Calls `mete run` in an empty folder: run(word, …, env={}, cwd=) → Done."""

    def run_words(*words, **options):
        options.setdefault("cwd", tmp_path)
        options["env"] = {"XDG_RUNTIME_DIR": memory, **(options.get("env") or {})}
        return call_mete(mete, ["run", *words], **options)

    return run_words


@pytest.fixture(scope="session")
def compile_words(tmp_path_factory):
    """Compiles C, given as text or as a file of programs/, once: compile_words(name, text)."""
    built = {}

    def compile_text(name, text=None, flags=(), compiler="gcc"):
        key = (name, text, tuple(flags), compiler)
        if key not in built:
            if not shutil.which(compiler):
                pytest.skip(f"{compiler} is not installed")
            folder = tmp_path_factory.mktemp("compiled")
            source = PROGRAMS / name
            if text is not None:
                source = folder / f"{name}.c"
                source.write_text(text, encoding="utf-8")
            output = folder / pathlib.Path(name).stem
            done = subprocess.run(
                [compiler, "-O1", "-D_GNU_SOURCE", source, "-o", output, *map(str, flags)],
                capture_output=True, text=True, check=False,
            )
            assert done.returncode == 0, f"cannot compile {name}: {done.stderr[-300:]}"
            built[key] = output
        return built[key]

    return compile_text


@pytest.fixture(scope="session")
def fake_folder(mete, source, compile_words, tmp_path_factory):
    """A folder with mete and a preload object that makes tiny recordings."""
    flags = ["-shared", "-fPIC", "-fvisibility=hidden", "-fno-strict-aliasing",
             f"-I{source}/src", source / "src/base/settings.c", source / "src/base/pattern.c"]
    library = compile_words("fake_recorder.c", flags=flags)
    folder = tmp_path_factory.mktemp("fake")
    shutil.copy(mete, folder / "mete")
    shutil.copy(library, folder / "libmete-preload.so")
    return folder


@pytest.fixture(scope="session")
def fake_mete(fake_folder):
    """The mete that lies beside the fake."""
    return fake_folder / "mete"


@pytest.fixture()
def run_fake(fake_mete, memory, tmp_path):
    """The same as `run`, with recordings; none may be left in memory but by those who say so."""

    def run_words(*words, **options):
        options.setdefault("cwd", tmp_path)
        options["env"] = {"XDG_RUNTIME_DIR": memory, **(options.get("env") or {})}
        return call_mete(fake_mete, ["run", *words], **options)

    yield run_words
    assert not list(memory.iterdir()), "a live folder was left behind"
