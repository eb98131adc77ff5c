"""The real programs and what they are given to do."""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from harness.measure import CannotRun

FOLDER = Path(__file__).resolve().parent.parent / "workloads"
C_FUNCTIONS = 50  # pairs of functions in the generated C: about a second of compiling


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple
    environment: dict = field(default_factory=dict)
    input_path: Path | None = None


def executable(path, package):
    found = shutil.which(path)
    if not found:
        raise CannotRun(f"{path} is missing (Debian: {package}); or choose with --programs")
    return found


def python3(scratch, share):
    del scratch
    # PYTHONMALLOC: every object from malloc. The seed: the same tables in every run.
    environment = {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0"}
    command = (executable("/usr/bin/python3", "python3"), "-B", FOLDER / "objects.py", str(share))
    return Program("python3", command, environment)


def perl(scratch, share):
    del scratch
    environment = {"PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0"}
    command = (executable("/usr/bin/perl", "perl"), FOLDER / "words.pl", str(share))
    return Program("perl", command, environment)


def sqlite3(scratch, share):
    command = (executable("/usr/bin/sqlite3", "sqlite3"), "-batch", "-init", "/dev/null",
               ":memory:")
    statements = (FOLDER / "rows.sql").read_text(encoding="utf-8")
    path = Path(scratch, f"rows-{share}.sql")
    path.write_text(statements.replace("n < 150000", f"n < {150000 // share}"), encoding="utf-8")
    return Program("sqlite3", command, input_path=path)


def cc1(scratch, share):
    """The compiler proper: gcc itself only starts it, and would be the one measured."""
    source = Path(scratch, f"generated-{share}.i")
    with source.open("wb") as file:
        generator = [sys.executable, "-B", FOLDER / "generate_c.py",
                     str(C_FUNCTIONS // share)]
        subprocess.run(generator, stdout=file, check=True)
    gcc = executable("gcc", "gcc")
    asked = subprocess.run([gcc, "-print-prog-name=cc1"], capture_output=True, text=True)
    path = executable(asked.stdout.strip() or "cc1", "gcc")
    return Program("cc1", (path, "-quiet", "-fpreprocessed", "-O2", source, "-o", "-"))


def lua(scratch, share):
    del scratch
    command = (executable("/usr/bin/lua5.4", "lua5.4"), FOLDER / "tables.lua", str(share))
    return Program("lua", command)


MAKERS = {"python3": python3, "perl": perl, "sqlite3": sqlite3, "cc1": cc1, "lua": lua}


def select(names, scratch, share=1):
    """The programs to run. Without names: all. They do a share-th of their work."""
    unknown = [name for name in names or () if name not in MAKERS]
    if unknown:
        raise CannotRun(f"there is no program '{unknown[0]}'; there are {', '.join(MAKERS)}")
    return [make(scratch, share) for name, make in MAKERS.items() if not names or name in names]
