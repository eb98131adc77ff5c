"""What does an allocator cost a program that hardly allocates? (idle.c, and /bin/true)"""

import statistics

from harness import callgrind, table
from harness.command import progress
from harness.measure import program_of

TARGET_KIB = 150
THREAD_COUNT = 16
SPAWNS_PER_ROUND = 25


def resting_memory(launcher, program, chosen, runs):
    """{allocator: {anonymous and resident KiB, alone and with threads}}, medians of the runs."""
    samples = {one.name: [] for one in chosen}
    for number in range(runs):
        for allocator in chosen:
            progress(f"idle: run {number + 1} of {runs}, {allocator.name}")
            alone = launcher.fields([program], allocator.path)
            threaded = launcher.fields([program, THREAD_COUNT], allocator.path)
            samples[allocator.name].append((alone, threaded))
    return {name: summary(pairs) for name, pairs in samples.items()}


def summary(pairs):
    def median(which, field):
        return round(statistics.median(pair[which][field] for pair in pairs))

    alone, threaded = median(0, "anonymous_kib"), median(1, "anonymous_kib")
    return {
        "anonymous_kib": alone,
        "resident_kib": median(0, "resident_kib"),
        "threads_anonymous_kib": threaded,
        "threads_resident_kib": median(1, "resident_kib"),
        "per_thread_kib": round((threaded - alone) / THREAD_COUNT, 1),
    }


def start_up(launcher, chosen, spawns):
    """{allocator: wall and CPU µs of /bin/true}: the least, and the median, of many spawns."""
    samples = {one.name: [] for one in chosen}
    for done in range(0, spawns, SPAWNS_PER_ROUND):
        for allocator in chosen:
            progress(f"start-up: spawn {done} of {spawns}, {allocator.name}")
            figures = launcher.run(["/bin/true"], allocator.path, repeat=SPAWNS_PER_ROUND)
            samples[allocator.name] += figures
    return {
        name: {
            "wall_us_min": min(one.wall_ns for one in figures) / 1000,
            "wall_us_median": statistics.median(one.wall_ns for one in figures) / 1000,
            "cpu_us_median": statistics.median(one.cpu_us for one in figures),
        }
        for name, figures in samples.items()
    }


def instructions(launcher, chosen):
    """{allocator: instructions of the whole of /bin/true}; empty without valgrind."""
    if not callgrind.is_available():
        return {}
    counted = {}
    for allocator in chosen:
        progress(f"start-up: instructions, {allocator.name}")
        counted[allocator.name] = callgrind.count(launcher, ["/bin/true"], allocator.path)
    return counted


def verdicts_of(memory):
    if "mete" not in memory:
        return []
    over = memory["mete"]["anonymous_kib"] - memory["glibc"]["anonymous_kib"]
    return [{
        "what": "idle program: KiB of anonymous memory over glibc",
        "target": str(TARGET_KIB),
        "measured": str(over),
        "verdict": "met" if over <= TARGET_KIB else "missed",
    }]


def ask(launcher, chosen, options):
    program = program_of(options.build, "idle")
    memory = resting_memory(launcher, program, chosen, options.runs)
    return {
        "schema": 1,
        "question": "idle",
        "runs": options.runs,
        "spawns": options.spawns,
        "threads": THREAD_COUNT,
        "memory": memory,
        "start_up": start_up(launcher, chosen, options.spawns),
        "start_up_instructions": instructions(launcher, chosen),
        "verdicts": verdicts_of(memory),
    }


def text(result):
    rows = [("", "anonymous KiB", "resident", f"with {result['threads']} threads", "resident",
             "per thread", "start-up µs min", "median", "CPU µs", "instructions")]
    base = result["memory"]["glibc"]["per_thread_kib"]
    for name, row in result["memory"].items():
        start = result["start_up"][name]
        counted = result["start_up_instructions"].get(name)
        rows.append((
            name,
            *(str(row[field]) for field in ("anonymous_kib", "resident_kib",
                                            "threads_anonymous_kib", "threads_resident_kib")),
            f"{row['per_thread_kib']:.1f} ({row['per_thread_kib'] - base:+.1f})",
            *(f"{start[field]:.0f}" for field in ("wall_us_min", "wall_us_median",
                                                  "cpu_us_median")),
            str(counted) if counted else "–",
        ))
    return [
        f"Idle: one malloc and one printf, median of {result['runs']} runs; per thread that "
        f"allocated once (over glibc); {result['spawns']} spawns of /bin/true.",
        *table.layout(rows),
        *table.verdict_rows(result["verdicts"]),
    ]
