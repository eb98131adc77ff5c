"""Running one command under one allocator, through the launcher (measure.c)."""

import os
import re
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SEPARATORS = " :"  # between the paths of LD_PRELOAD, where nothing can quote them
TIMEOUT_SECONDS = 600  # a guess: far above any workload, so that a deadlock is reported


class CannotRun(Exception):
    """The benchmark itself failed: something is missing, crashed, or answered differently."""


@dataclass(frozen=True)
class Figures:
    wall_ns: int
    user_us: int
    system_us: int
    peak_kib: int
    minor_faults: int
    major_faults: int
    status: int

    @property
    def cpu_us(self):
        return self.user_us + self.system_us


def has_separator(path):
    return any(one in str(path) for one in SEPARATORS)


def parse_fields(text):
    """{'name': value} of name=value words, whatever separates them."""
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", text)}


class Launcher:
    """Runs commands with a given preload object; keeps scratch files while it is open."""

    def __init__(self, build):
        self.path = program_of(build, "measure")
        self.scratch = tempfile.TemporaryDirectory(prefix="mete-bench-")
        self.output_path = Path(self.scratch.name, "output")
        self.links = {}  # object whose path the loader cannot be told: a link to it
        self.seen_loaded = set()  # (program, object)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.scratch.cleanup()

    def nameable(self, preload):
        """The object's path, or that of a link to it where the loader would see several."""
        if not has_separator(preload):
            return preload
        if preload not in self.links:
            link = Path(self.scratch.name, f"object-{len(self.links)}.so")
            if has_separator(link):
                raise CannotRun(f"{preload} cannot be preloaded: the loader ends a path at a space "
                                f"or colon, and a link in {link.parent} has one too; set TMPDIR to "
                                "a folder without")
            link.symlink_to(preload)
            self.links[preload] = link
        return self.links[preload]

    def launch(self, command, preload, environment=None, options=()):
        """Runs a command; figures by line, and what it and the launcher complained of."""
        launch = [str(self.path), f"--output={self.output_path}", *options]
        if preload:
            launch.append(f"--preload={self.nameable(preload)}")
        launch += [str(word) for word in command]
        return wait_for(launch, {**os.environ, **(environment or {})})

    def expect_loaded(self, program, preload):
        """Refuses a program that runs without the object: the loader only warns when it cannot
        preload, and a static program has no loader."""
        if not preload or (program, preload) in self.seen_loaded:
            return
        # The loader lists what it has loaded for the program, and ends.
        _, complaints = self.launch([program], preload, {"LD_TRACE_LOADED_OBJECTS": "1"})
        if os.fsencode(f"\t{self.nameable(preload)} (") not in self.output():
            reason = complaints.strip() or "is it static, or set-user-ID?"
            raise CannotRun(f"{program} does not load {preload} when that is preloaded: {reason}")
        self.seen_loaded.add((program, preload))

    def run(self, command, preload=None, repeat=1, environment=None, input_path=None):
        """The figures of each repetition, all of which must have succeeded."""
        self.expect_loaded(command[0], preload)
        options = [f"--repeat={repeat}"]
        if input_path:
            options.append(f"--input={input_path}")
        text, complaints = self.launch(command, preload, environment, options)
        figures = [Figures(**parse_fields(line)) for line in text.splitlines()]
        name = f"{Path(str(command[0])).name} with {preload or 'no preload'}"
        if "cannot be preloaded" in complaints:
            raise CannotRun(complaints.strip())
        if len(figures) != repeat or any(one.status for one in figures):
            status = figures[-1].status if figures else "none"
            raise CannotRun(f"{name} failed, status {status}\n{complaints.strip()}")
        return figures

    def output(self):
        """What the last command wrote to its standard output."""
        return self.output_path.read_bytes()

    def fields(self, command, preload=None):
        """The name=value words that a program of ours prints."""
        self.run(command, preload)
        return parse_fields(self.output().decode())


def wait_for(launch, environment):
    """Standard output and error of the launcher; the whole session dies with a timeout."""
    process = subprocess.Popen(
        launch,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        text, complaints = process.communicate(timeout=TIMEOUT_SECONDS)
    except BaseException as reason:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(reason, subprocess.TimeoutExpired):
            raise CannotRun(f"no end after {TIMEOUT_SECONDS} s: {' '.join(launch)}") from None
        raise
    return text.decode(), complaints.decode(errors="replace")


def program_of(build, name):
    """A program that the build made for us."""
    path = Path(build, "bench", name)
    if not os.access(path, os.X_OK):
        raise CannotRun(f"{path} is not built; run make first, or name the build folder")
    return path
