"""What every pytest file may ask for: where sources and artefacts are, and how to run programs
natively and under the preload object."""

import concurrent.futures
import difflib
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile

import pytest

SOURCE = pathlib.Path(
    os.environ.get("METE_SOURCE", pathlib.Path(__file__).resolve().parent.parent)
)
BUILD = pathlib.Path(os.environ.get("METE_BUILD", SOURCE / "build"))
PRELOAD = pathlib.Path(os.environ.get("METE_PRELOAD", BUILD / "libmete-preload.so"))

# What decides over a program's output without being its business.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "HOME": "/nonexistent",
}
SHOWN_LINES = 60


class Run:
    """What a program did: its status (negative: the signal) and what it wrote, as bytes."""

    def __init__(self, command, status, stdout, stderr):
        self.command = command
        self.status = status
        self.stdout = stdout
        self.stderr = stderr

    def __repr__(self):
        return (
            f"$ {shlex.join(map(str, self.command))}\nstatus {self.status}\n"
            f"stdout: {shown(self.stdout)}\nstderr: {shown(self.stderr)}"
        )


def shown(output):
    """The last lines of an output, for people."""
    lines = output.decode("utf-8", "replace").splitlines()
    left_out = [f"[{len(lines) - SHOWN_LINES} lines]"] if len(lines) > SHOWN_LINES else []
    return "\n".join(left_out + lines[-SHOWN_LINES:])


def run(command, *, env=None, preload=None, timeout=120, **options):
    """Runs a program in an environment that has only what ENVIRONMENT and the caller say."""
    variables = {**ENVIRONMENT, **(env or {})}
    if preload:
        assert preload.is_file(), f"{preload} is not there; build it, or set METE_PRELOAD"
        variables["LD_PRELOAD"] = str(preload)
    options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
    if options["stdin"] is None:
        del options["stdin"]
    try:
        done = subprocess.run(
            [str(word) for word in command], env=variables, timeout=timeout,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, **options,
        )
    except subprocess.TimeoutExpired as expired:
        stderr = (expired.stderr or b"") + f"\nstill running after {timeout} s".encode()
        pytest.fail(repr(Run(command, "unknown", expired.stdout or b"", stderr)))
    result = Run(command, done.returncode, done.stdout, done.stderr)
    # The loader only warns when it cannot preload, and the test would prove nothing.
    assert b"cannot be preloaded" not in done.stderr, result
    return result


def difference(native, preloaded):
    """A unified diff of two outputs, shortened."""
    lines = list(
        difflib.unified_diff(
            native.decode("utf-8", "replace").splitlines(),
            preloaded.decode("utf-8", "replace").splitlines(),
            "native", "with mete", lineterm="", n=2,
        )
    )
    return "\n".join(lines[:200])


@pytest.fixture(scope="session")
def source():
    """The top of the source tree."""
    return SOURCE


@pytest.fixture(scope="session")
def build():
    """The build folder, with mete, libmete.so, libmete.a and libmete-preload.so in it."""
    return BUILD


@pytest.fixture(scope="session")
def mete(build):
    """The program mete."""
    return build / "mete"


def is_open_to_all(path):
    """Whether every user may read the file, and the loader its name in LD_PRELOAD."""
    folders_are = all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)
    return folders_are and path.stat().st_mode & 0o004 and not set(" :") & set(str(path))


@pytest.fixture(scope="session")
def preload():
    """The object to preload; METE_PRELOAD names another one."""
    return PRELOAD


@pytest.fixture(scope="session")
def preload_for_all():
    """The same where every user can read it, since programs under test become other users: what
    they cannot read (a checkout in /root, say) is copied."""
    if not PRELOAD.is_file() or is_open_to_all(PRELOAD):
        yield PRELOAD
        return
    with tempfile.TemporaryDirectory(prefix="mete-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        copy = pathlib.Path(shutil.copy(PRELOAD, folder))
        copy.chmod(0o755)
        yield copy


@pytest.fixture()
def preloaded(preload_for_all):
    """An environment in which a program runs on mete's heap."""
    env = dict(os.environ)
    env["LD_PRELOAD"] = str(preload_for_all)
    env.pop("METE", None)
    return env


@pytest.fixture(scope="session")
def run_native():
    """Runs a command as it is: run_native(command, env=, timeout=, input=, cwd=) gives a Run."""
    return run


@pytest.fixture(scope="session")
def run_preloaded(preload_for_all):
    """The same with libmete-preload.so: run_preloaded(command, …) → Run."""

    def run_with_preload(command, **options):
        return run(command, preload=preload_for_all, **options)

    return run_with_preload


@pytest.fixture(scope="session")
def same_with_mete(preload_for_all):
    """Runs a command natively and, at once, preloaded; fails unless both end alike and with
    success. `clean` takes what legitimately differs out of an output; `cwd` may be a pair."""

    def compare(command, *, clean=lambda output: output, cwd=None, **options):
        folders = cwd if isinstance(cwd, tuple) else (cwd, cwd)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            native = pool.submit(run, command, cwd=folders[0], **options)
            options["preload"] = preload_for_all
            ours = pool.submit(run, command, cwd=folders[1], **options)
            native, ours = native.result(), ours.result()
        assert native.status == 0, f"it fails natively\n{native!r}"
        assert ours.status == native.status, f"it fails with mete\n{ours!r}"
        diff = difference(clean(native.stdout), clean(ours.stdout))
        assert not diff, f"{diff}\nstderr with mete: {shown(ours.stderr)}"
        assert clean(native.stdout) == clean(ours.stdout), "the outputs differ in bytes"
        assert b"mete:" not in ours.stderr, shown(ours.stderr)
        return native, ours

    return compare


@pytest.fixture(scope="session")
def compile_c(tmp_path_factory):
    """Compiles a C or C++ file to a program, once a session: compile_c(source, *flags)."""
    built = {}

    def compile_file(path, *flags):
        path = pathlib.Path(path)
        key = (path, flags)
        if key not in built:
            program = tmp_path_factory.mktemp("compiled") / path.stem
            compiler = "g++" if path.suffix in (".cpp", ".cc") else "gcc"
            # The compiler must not reason about malloc, or it removes what is tested.
            command = [compiler, "-O1", "-g", "-fno-builtin", "-pthread", path, "-o", program]
            done = run([*command, *flags])
            assert done.status == 0, done
            built[key] = program
        return built[key]

    return compile_file
