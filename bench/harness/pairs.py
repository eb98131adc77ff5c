"""What does one malloc and its free cost, in the simplest programs there are? (pairs.c)"""

import statistics

from harness import table
from harness.command import progress
from harness.measure import program_of


def run_once(launcher, program, items, allocator):
    """{item: (CPU ns, wall ns)} per operation."""
    launcher.run([program, "--rounds=1", *items], allocator.path)
    rows = (line.split() for line in launcher.output().decode().splitlines())
    return {name: (float(cpu), float(wall)) for name, cpu, wall in rows}


def best(samples):
    return {
        item: {"cpu_ns": min(one[item][0] for one in samples),
               "wall_ns": min(one[item][1] for one in samples)}
        for item in samples[0]
    }


def ask(launcher, chosen, options):
    program = program_of(options.build, "pairs")
    samples = {one.name: [] for one in chosen}
    for number in range(options.rounds):
        for allocator in chosen:
            progress(f"pairs: round {number + 1} of {options.rounds}, {allocator.name}")
            items = options.items or []
            samples[allocator.name].append(run_once(launcher, program, items, allocator))
    return {
        "schema": 1,
        "question": "pairs",
        "rounds": options.rounds,
        "allocator_items": {name: best(of) for name, of in samples.items()},
    }


def text(result):
    of_allocator = result["allocator_items"]
    names = list(of_allocator)
    rows = [("CPU ns per operation", *names)]
    for item in of_allocator["glibc"]:
        rows.append((item, *(f"{of_allocator[name][item]['cpu_ns']:.1f}" for name in names)))
    ratio_row = ["geometric mean of glibc"]
    for name in names:
        ratio_row.append("{:.3f}".format(statistics.geometric_mean(
            of_allocator[name][item]["cpu_ns"] / base["cpu_ns"]
            for item, base in of_allocator["glibc"].items()
        )))
    rows.append(tuple(ratio_row))
    return [f"The best of {result['rounds']} interleaved rounds", *table.layout(rows)]
