"""How long does a look for leaks take, and how much memory? (leak_scan.c)"""

import json
import statistics
import subprocess
from pathlib import Path

from harness import table
from harness.command import progress
from harness.measure import CannotRun, program_of

TARGET_SECONDS = 3
TARGET_MEMORY = 1.10
TARGET_BLOCKS = 10_000_000  # of 96 bytes: 1 GiB with what they take in the heap
VARIANTS = {
    "in order": ("0", "in_order"),
    "at random": ("0", "at_random"),
    "in order, 1000 threads": ("1000", "in_order"),
    "at random, 1000 threads": ("1000", "at_random"),
}


def run_once(launcher, options, preload, words, looks):
    """Peak memory, and how long the process stood still; what was lost is none."""
    recording = Path(launcher.scratch.name, "leaks.mete")
    recording.unlink(missing_ok=True)
    settings = f"observe=yes,leaks={'yes' if looks else 'no'},recording={recording}"
    program = program_of(options.build, "leak_scan")
    figures = launcher.run([program, str(options.blocks), *words], preload,
                           environment={"METE": settings})[0]
    if not looks:
        return figures.peak_kib, None
    done = subprocess.run([options.build / "mete", "leaks", "--json", recording],
                          capture_output=True, check=True)
    answer = json.loads(done.stdout)
    if answer["leaks"] != []:
        raise CannotRun(f"leak_scan loses nothing, and mete says {answer['leaked']}, "
                        f"{answer['leaks_reason']}")
    return figures.peak_kib, answer["leaks_ms"]


def measure(launcher, options, preload):
    variants = {}
    for name, words in VARIANTS.items():
        runs = []
        for number in range(options.runs):
            progress(f"leak scan: {name}, run {number + 1} of {options.runs}")
            before, _ = run_once(launcher, options, preload, words, False)
            after, wait = run_once(launcher, options, preload, words, True)
            runs.append((wait, before, after, after / before))
        variants[name] = dict(zip(
            ("ms", "peak_kib_without", "peak_kib", "memory_ratio"),
            (statistics.median(values) for values in zip(*runs))))
    return variants


def verdicts_of(variants, blocks):
    is_judged = blocks == TARGET_BLOCKS
    verdicts = []
    for name, row in variants.items():
        for what, target, measured, is_met in (
                ("seconds", f"{TARGET_SECONDS:.2f}", f"{row['ms'] / 1000:.2f}",
                 row["ms"] < TARGET_SECONDS * 1000),
                ("peak memory of the same without a look", f"{TARGET_MEMORY:.2f}",
                 f"{row['memory_ratio']:.3f}", row["memory_ratio"] < TARGET_MEMORY)):
            verdict = "met" if is_met else "missed"
            verdicts.append({
                "what": f"leak scan: {what}, {name}",
                "target": target,
                "measured": measured,
                "verdict": verdict if is_judged else f"not judged (not {TARGET_BLOCKS} blocks)",
            })
    return verdicts


def ask(launcher, chosen, options):
    preload = next(one.path for one in chosen if one.name == "mete")
    variants = measure(launcher, options, preload)
    return {
        "schema": 1,
        "question": "leak_scan",
        "runs": options.runs,
        "blocks": options.blocks,
        "variants": variants,
        "verdicts": verdicts_of(variants, options.blocks),
    }


def text(result):
    rows = [("", "s", "peak MiB", "without", "ratio")]
    for name, row in result["variants"].items():
        rows.append((name, f"{row['ms'] / 1000:.2f}", table.mib(row["peak_kib"]),
                     table.mib(row["peak_kib_without"]), f"{row['memory_ratio']:.3f}"))
    return [
        f"Leak scan: a process with {result['blocks']} live blocks of 96 bytes ends; medians of "
        f"{result['runs']} runs.",
        *table.layout(rows),
        *table.verdict_rows(result["verdicts"]),
    ]
