"""The tools that programs are run under, and where each leaves what it found."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from harness import workloads
from harness.measure import CannotRun

SHARE = 10  # of the work that slow tools get


@dataclass(frozen=True)
class Tool:
    """What a program runs under: words before its command, an object, an environment."""

    name: str
    words: tuple = ()
    preload: Path | None = None
    environment: dict = field(default_factory=dict)
    is_slow: bool = False  # gets a SHARE-th of the work, once
    may_fail: bool = True
    is_base: bool = False  # the program alone


def mete_tools(options, output):
    build = options.build.resolve()
    mete = build / "mete"
    if not os.access(mete, os.X_OK):
        raise CannotRun(f"{mete} is not built; run make first, or name the build folder")
    words = (mete, "run", f"--output={output}/recording.mete", "--summary=/dev/null")
    preload = options.object or build / "libmete-preload.so"
    return [
        Tool("mete preloaded", preload=preload, may_fail=False),
        Tool("mete run --leaks=no", words=(*words, "--leaks=no"), may_fail=False),
        Tool("mete run", words=(*words, "--leaks=lost"), may_fail=False),
    ]


def jemalloc_tools(output):
    found = next(Path("/usr/lib").glob("*/libjemalloc.so.2"), None)
    if not found:
        raise CannotRun("jemalloc is missing (Debian: libjemalloc2); or choose with --tools")

    def profiling(sample):
        return {"MALLOC_CONF": f"prof:true,prof_final:true,lg_prof_sample:{sample},"
                               f"prof_prefix:{output}/profile"}

    return [
        Tool("jemalloc every 512 KiB", preload=found, environment=profiling(19)),
        Tool("jemalloc every allocation", preload=found, environment=profiling(0), is_slow=True),
    ]


def leak_sanitizer(output):
    gcc = workloads.executable("gcc", "gcc")
    asked = subprocess.run([gcc, "-print-file-name=liblsan.so"], capture_output=True, text=True)
    found = Path(asked.stdout.strip())
    if not found.is_absolute():
        raise CannotRun("LeakSanitizer is missing (Debian: libgcc-12-dev); or choose with --tools")
    environment = {"LSAN_OPTIONS": f"exitcode=0:log_path={output}/leaks"}
    return [Tool("LeakSanitizer preloaded", preload=found.resolve(), environment=environment)]


def valgrind_tools(output):
    valgrind = workloads.executable("valgrind", "valgrind")
    massif = (valgrind, "-q", "--tool=massif", f"--massif-out-file={output}/massif.%p")
    memcheck = (valgrind, "-q", "--leak-check=full", f"--log-file={output}/memcheck.%p")
    return [
        Tool("Valgrind massif", words=massif, is_slow=True),
        Tool("Valgrind memcheck", words=memcheck, is_slow=True),
    ]


def heaptrack_tools(output):
    heaptrack = workloads.executable("heaptrack", "heaptrack")
    return [Tool("heaptrack", words=(heaptrack, "-o", f"{output}/heaptrack"))]


def select(options, output):
    """All, or those that are named, after the program alone: once with all of its work, and once
    with a share of it where somebody is compared with that."""
    made = [
        *mete_tools(options, output), *jemalloc_tools(output), *leak_sanitizer(output),
        *heaptrack_tools(output), *valgrind_tools(output),
    ]
    unknown = [name for name in options.tools or () if name not in [one.name for one in made]]
    if unknown:
        raise CannotRun(f"there is no tool '{unknown[0]}'; there are: "
                        f"{', '.join(one.name for one in made)}")
    chosen = [one for one in made if not options.tools or one.name in options.tools]
    alone = [Tool("alone", is_base=True, may_fail=False)]
    if any(one.is_slow for one in chosen):
        alone.append(Tool("alone, a tenth", is_base=True, is_slow=True, may_fail=False))
    return [*alone, *chosen]
