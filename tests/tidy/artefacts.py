"""Checks on what was built: its code, the symbols it shows, and those it asks libc for."""

import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def listed(name):
    """A list of symbols beside this file; '#' begins a comment."""
    lines = (line.split("#")[0].strip() for line in (HERE / name).read_text().splitlines())
    return {line for line in lines if line}


def symbols(path, *options):
    """The names nm prints, without their versions."""
    done = subprocess.run(
        ["nm", "--format=posix", *options, str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True,
    )
    names = set()
    for line in done.stdout.splitlines():
        fields = line.split()
        # An archive's members have a heading; a version node is an absolute symbol of its own.
        if len(fields) >= 2 and not line.endswith(":") and fields[1] != "A":
            names.add(fields[0].split("@")[0])
    return names


def exported(path):
    """What a shared library or an archive shows to those who link with it."""
    dynamic = [] if path.suffix == ".a" else ["--dynamic"]
    return symbols(path, *dynamic, "--defined-only", "--extern-only")


def imported(path):
    """What a shared library wants from others."""
    return symbols(path, "--dynamic", "--undefined-only")


def vector_code(path):
    """The lines of a library's code that use vector registers."""
    done = subprocess.run(["objdump", "--disassemble", "--no-show-raw-insn", str(path)],
                          stdout=subprocess.PIPE, text=True, check=True)
    return [line for line in done.stdout.splitlines() if re.search(r"%[xyz]mm\d", line)]


def difference(found, wanted, may_miss=False):
    """One line for each name too many and, unless it may be missing, each that is not there."""
    lines = [f"not listed: {name}" for name in sorted(found - wanted)]
    if not may_miss:
        lines += [f"missing: {name}" for name in sorted(wanted - found)]
    return lines
