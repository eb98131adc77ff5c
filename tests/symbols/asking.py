"""What the tests of names share: programs compiled from samples, and what is said of them."""

import os
import pathlib
import re
import subprocess

SOURCES = pathlib.Path(__file__).resolve().parent / "samples"


class Answer:
    """What query printed: the module's line as a dictionary, and lines (function, file, line,
    is_inlined) of each offset."""

    def __init__(self, text):
        first, *rest = text.splitlines()
        self.text = text
        self.module = dict(word.split("=", 1) for word in first.split(" "))
        self.names = {}
        for row in rest:
            offset, name = row.split(" ", 1)
            lines = self.names.setdefault(int(offset, 16), [])
            found = re.match(r"(.*) at (.*):(\d+)( \(inlined\))?$", name)
            if found:
                function, file, line, inlined = found.groups()
                lines.append((function, os.path.basename(file), int(line), bool(inlined)))

    def functions(self, offset):
        return [line[0] for line in self.names[offset]]


def call(*words, **options):
    done = subprocess.run(
        [str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        check=False, timeout=120, **options,
    )
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def compiled(folder, source, *flags, compiler=None, name="sample"):
    """The sample compiled in the folder."""
    path = SOURCES / source
    compiler = compiler or ("g++" if path.suffix == ".cc" else "gcc")
    program = folder / name
    call(compiler, path, "-o", program, *flags, cwd=folder)
    return program


def return_addresses(path):
    """The offsets after every call instruction of .text."""
    found = []
    after_call = False
    for row in call("objdump", "-d", "--no-show-raw-insn", "-j", ".text", path).splitlines():
        instruction = re.match(r"\s*([0-9a-f]+):\s+(\S+)", row)
        if instruction:
            if after_call:
                found.append(int(instruction[1], 16))
            after_call = instruction[2].startswith("call")
    assert found
    return found
