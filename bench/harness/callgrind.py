"""Counting instructions with valgrind's callgrind: the same on every machine, however busy."""

import re
import shutil
from pathlib import Path

from harness.measure import CannotRun


def is_available():
    return shutil.which("valgrind") is not None


def count(launcher, command, preload=None):
    """The instructions that a command executes in user space, all threads."""
    launcher.expect_loaded(command[0], preload)  # of valgrind itself that would say nothing
    log = Path(launcher.scratch.name, "callgrind.log")
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
                f"--log-file={log}"]
    launcher.run([*valgrind, *command], preload)
    found = re.search(r"Collected : (\d+)", log.read_text())
    if not found:
        raise CannotRun(f"callgrind counted nothing:\n{log.read_text()}")
    return int(found[1])
