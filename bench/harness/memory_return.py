"""Does freed memory go back to the system while the program does nothing? (memory_return.c)"""

import statistics

from harness import table
from harness.command import progress
from harness.measure import program_of

TARGET_MIB = 150
TARGET_MIB_PER_THREAD = 512  # what the target is for
TARGET_FIGURE = "freed_99_after_1000_ms_kib"

# Which blocks, and what the threads do afterwards. The target was set for the wider mix. Of the
# narrower one 1 % is too many to be judged: its survivors stand on more than 150 MiB of pages.
VARIANTS = {
    "64..4096": {"arguments": ["--sizes=64..4096"], "is_judged": True},
    "64..4096, threads exit": {"arguments": ["--sizes=64..4096", "--exit"], "is_judged": True},
    "16..512": {"arguments": ["--sizes=16..512"], "is_judged": False},
    "16..512, threads exit": {"arguments": ["--sizes=16..512", "--exit"], "is_judged": False},
}

COLUMNS = (
    ("full", "full_kib"),
    ("floor", "floor_kib"),
    ("99 % +0 s", "freed_99_after_0_ms_kib"),
    ("+0.25", "freed_99_after_250_ms_kib"),
    ("+0.5", "freed_99_after_500_ms_kib"),
    ("+1", "freed_99_after_1000_ms_kib"),
    ("+2", "freed_99_after_2000_ms_kib"),
    ("all +0 s", "freed_all_after_0_ms_kib"),
    ("+1", "freed_all_after_1000_ms_kib"),
    ("baseline", "baseline_kib"),
)


def medians(runs):
    return {name: round(statistics.median(one[name] for one in runs)) for name in runs[0]}


def measure(launcher, program, chosen, options):
    variants = {}
    for name, variant in VARIANTS.items():
        variants[name] = {}
        command = [program, *variant["arguments"], f"--mib={options.mib}"]
        for allocator in chosen:
            progress(f"memory return: {name}, {allocator.name}")
            # What is not judged is shown for orientation: once is enough.
            runs = options.runs if allocator.name == "mete" and variant["is_judged"] else 1
            measured = [launcher.fields(command, allocator.path) for _ in range(runs)]
            variants[name][allocator.name] = medians(measured)
    return variants


def verdict_of(kib, mib_per_thread):
    if mib_per_thread != TARGET_MIB_PER_THREAD:
        return f"not judged (not {TARGET_MIB_PER_THREAD} MiB per thread)"
    return "met" if kib <= TARGET_MIB * 1024 else "missed"


def verdicts_of(variants, mib_per_thread):
    verdicts = []
    for name, of_variant in variants.items():
        if not VARIANTS[name]["is_judged"] or "mete" not in of_variant:
            continue
        kib = of_variant["mete"][TARGET_FIGURE]
        verdicts.append({
            "what": f"memory return: MiB resident 1 s after 99 % freed, {name}",
            "target": str(TARGET_MIB),
            "measured": table.mib(kib),
            "verdict": verdict_of(kib, mib_per_thread),
        })
    return verdicts


def ask(launcher, chosen, options):
    program = program_of(options.build, "memory_return")
    variants = measure(launcher, program, chosen, options)
    return {
        "schema": 1,
        "question": "memory_return",
        "runs": options.runs,
        "mib_per_thread": options.mib,
        "variants": variants,
        "verdicts": verdicts_of(variants, options.mib),
    }


def text(result):
    rows = [("MiB resident", "", *(title for title, _ in COLUMNS), "CPU ms fill", "free", "idle")]
    for variant, of_variant in result["variants"].items():
        title = variant
        for name, row in of_variant.items():
            cpu = (f"{row[f'{phase}_cpu_us'] / 1000:.0f}" for phase in ("fill", "free", "idle"))
            rows.append((title, name, *(table.mib(row[field]) for _, field in COLUMNS), *cpu))
            title = ""
    return [
        f"Memory return: 2 threads, {result['mib_per_thread']} MiB live each, 99 % freed at "
        "random, then silence; then all freed.",
        "floor: the pages that the remaining 1 % stand on; baseline: before the first block; "
        "the benchmark's own arrays are subtracted.",
        *table.layout(rows, left=2),
        *table.verdict_rows(result["verdicts"]),
    ]
