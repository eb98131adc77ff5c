"""How many instructions does one operation take? (pairs.c under callgrind, one thread)

The difference of two counts of repetitions, so that start-up and warming up cancel.
"""

import re

from harness import callgrind, table
from harness.command import progress
from harness.measure import CannotRun, program_of

COUNT_LOW = 60000  # three times the live blocks of the random pattern: in its steady state
COUNT_HIGH = 160000


def single_items(launcher, program):
    launcher.run([program, "--list"])
    return re.findall(r"^(\S+) single$", launcher.output().decode(), re.MULTILINE)


def per_operation(launcher, program, item, allocator):
    low, high = (
        callgrind.count(launcher, [program, f"--count={count}", item], allocator.path)
        for count in (COUNT_LOW, COUNT_HIGH)
    )
    return round((high - low) / (COUNT_HIGH - COUNT_LOW), 1)


def ask(launcher, chosen, options):
    if not callgrind.is_available():
        raise CannotRun("valgrind is missing (Debian: valgrind)")
    program = program_of(options.build, "pairs")
    items = {}
    for item in options.items or single_items(launcher, program):
        items[item] = {}
        for allocator in chosen:
            progress(f"instructions: {item}, {allocator.name}")
            items[item][allocator.name] = per_operation(launcher, program, item, allocator)
    return {"schema": 1, "question": "instructions", "items": items}


def text(result):
    items = result["items"]
    names = list(next(iter(items.values())))
    rows = [("", *names)]
    for item, row in items.items():
        rows.append((item, *(f"{row[name]:.1f}" for name in names)))
    return ["Instructions per operation, the loop around it included (callgrind)",
            *table.layout(rows)]
