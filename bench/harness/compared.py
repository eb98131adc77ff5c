"""What do tools that watch a program's memory cost, and what do they leave?

CPU time (user + system), wall time and peak resident memory of the whole tree of processes, the
tool's own included, as ratios to the program alone within each round; and the bytes it left.
"""

import shutil
import signal
import statistics
import threading
from pathlib import Path

from harness import dots, observers, ratios, table, tools, workloads
from harness.command import progress
from harness.measure import CannotRun
from harness.programs import expect_same_output

FIGURES = ("cpu_us", "wall_ns", "peak_kib")
BEGIN = "<!-- made by bench/compared -->"
END = "<!-- until here -->"
INTRODUCTION = "# Benchmarks\n\n"


class Runs:
    """What each tool's runs of each program came to; why one failed."""

    def __init__(self, programs, chosen):
        self.figures = {one: {tool.name: [] for tool in chosen} for one in programs}
        self.left = {one: {} for one in programs}
        self.failed = {one: {} for one in programs}


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def reason_of(failure):
    """In a few words: the status that the program ended with."""
    words = str(failure).splitlines()[0]
    status = words.rpartition(", status ")[2] if ", status " in words else ""
    if not status.isdigit():
        return "no end"
    return signal.Signals(int(status) - 128).name if int(status) > 128 else f"status {status}"


def run_once(launcher, tool, program, redis):
    driver = None
    if redis and program.name == "redis":
        driver = threading.Thread(target=redis.drive)
        driver.start()
    try:
        return launcher.run(
            (*tool.words, *program.command), preload=tool.preload,
            environment={**program.environment, **tool.environment},
            input_path=program.input_path)[0]
    finally:
        if driver:
            driver.join()


def run_tool(launcher, tool, program, redis, runs, output):
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    try:
        figures = run_once(launcher, tool, program, redis)
    except CannotRun as failure:
        if not tool.may_fail:
            raise
        runs.failed[program.name][tool.name] = reason_of(failure)
        return
    runs.figures[program.name][tool.name].append(figures)
    runs.left[program.name][tool.name] = size_of(output)


def run_rounds(launcher, chosen, of_share, redis, options, output):
    """`of_share`: the programs by whether they do a share of their work only."""
    runs = Runs([one.name for one in of_share[False]], chosen)
    printed = {False: {}, True: {}}
    for number in range(1, options.rounds + 1):
        for is_slow in (False, True):
            takers = [one for one in chosen if one.is_slow == is_slow]
            if is_slow and number > 1:
                continue
            for program in of_share[is_slow]:
                for tool in takers if number % 2 else takers[::-1]:
                    if tool.name in runs.failed[program.name]:
                        continue
                    progress(f"round {number} of {options.rounds}: {program.name}, {tool.name}")
                    run_tool(launcher, tool, program, redis[is_slow], runs, output)
                    if not tool.may_fail:
                        expect_same_output(printed[is_slow], program, tool, launcher.output())
    return runs


def row_of(runs, program, tool, base):
    """A tool's figures for one program: medians, and medians of the ratios to its base."""
    figures = runs.figures[program][tool.name]
    if not figures:
        return {"failed": runs.failed[program].get(tool.name, "not run")}
    row = {name: round(statistics.median(getattr(one, name) for one in figures))
           for name in FIGURES}
    for name in FIGURES:
        row[f"{name}_ratio"] = statistics.median(
            getattr(one, name) / getattr(alone, name)
            for one, alone in zip(figures, runs.figures[program][base.name]))
    row["left_bytes"] = runs.left[program][tool.name]
    return row


def means_of(programs, tool):
    """Over the programs that it ran with; None where it failed with all."""
    rows = [rows[tool] for rows in programs.values() if "failed" not in rows[tool]]
    if not rows:
        return None
    return {name: statistics.geometric_mean(row[f"{name}_ratio"] for row in rows)
            for name in FIGURES}


def redis_of(launcher, names, share):
    return observers.Redis(launcher.scratch.name, share) if "redis" in names else None


def programs_of(launcher, names, share, redis):
    others = [name for name in names if name != "redis"]
    made = workloads.select(others, launcher.scratch.name, share) if others else []
    return [*made, *([redis.program] if redis else [])]


def ask(launcher, chosen, options):
    del chosen  # allocators are another question
    output = Path(launcher.scratch.name, "left")
    names = options.programs or observers.PROGRAMS
    tried = tools.select(options, output)
    redis = {False: redis_of(launcher, names, 1), True: redis_of(launcher, names, tools.SHARE)}
    of_share = {
        is_slow: programs_of(launcher, names, tools.SHARE if is_slow else 1, redis[is_slow])
        for is_slow in (False, True)
    }
    runs = run_rounds(launcher, tried, of_share, redis, options, output)
    bases = {one.is_slow: one for one in tried if one.is_base}
    programs = {
        program: {tool.name: row_of(runs, program, tool, bases[tool.is_slow]) for tool in tried}
        for program in runs.figures
    }
    result = {
        "schema": 1,
        "question": "compared",
        "rounds": options.rounds,
        "tools": [{"name": one.name, "is_base": one.is_base, "is_slow": one.is_slow,
                   "mean": means_of(programs, one.name)} for one in tried],
        "programs": programs,
        "verdicts": [],
        "document": options.document and str(options.document),
    }
    if options.document:
        document(result, options.document)
    return result


# --- what is shown

SHOWN = (
    ("cpu_us", "CPU time", lambda row: f"{row['cpu_us'] / 1000:.0f} ms"),
    ("wall_ns", "Wall time", lambda row: f"{row['wall_ns'] / 1e6:.0f} ms"),
    ("peak_kib", "Peak memory", lambda row: f"{table.mib(row['peak_kib'])} MiB"),
    ("left_bytes", "What it leaves", None),
)


def cell(row, figure, absolute, is_base):
    if "failed" in row:
        return "fails"
    if figure == "left_bytes":
        return f"{row['left_bytes'] / 1024:.0f} KiB" if row["left_bytes"] else "–"
    return absolute(row) if is_base else f"{row[f'{figure}_ratio']:.2f}"


def rows_of(result, figure, absolute):
    """A row a tool: its name, a cell for each program, the geometric mean."""
    for tool in result["tools"]:
        if tool["is_base"] and not absolute:
            continue
        mark = " *" if tool["is_slow"] and not tool["is_base"] else ""
        mean = tool["mean"] if absolute and not tool["is_base"] else None
        yield (tool["name"] + mark,
               *(cell(rows[tool["name"]], figure, absolute, tool["is_base"])
                 for rows in result["programs"].values()),
               f"{mean[figure]:.2f}" if mean else "")


def notes_of(result):
    failed = {}
    for program, rows in result["programs"].items():
        for tool, row in rows.items():
            if "failed" in row:
                failed.setdefault(tool, []).append(f"{program} ({row['failed']})")
    lines = []
    if any(tool["is_slow"] for tool in result["tools"]):
        lines.append("* a tenth of the work, compared with the program alone on that")
    lines += [f"{tool} fails with {', '.join(programs)}; its mean is that of the others"
              for tool, programs in failed.items()]
    return lines


def text(result):
    lines = [f"Tools compared, {result['rounds']} interleaved rounds (of slow tools one); medians, "
             "ratios to the program alone"]
    for figure, title, absolute in SHOWN:
        heads = (title, *result["programs"], "mean" if absolute else "")
        lines += table.layout([heads, *rows_of(result, figure, absolute)])
    lines += notes_of(result)
    if result["document"]:
        lines.append(f"the same as tables and charts: {result['document']}")
    return lines


def markdown(result):
    parts = []
    for figure, title, absolute in SHOWN:
        heads = (title, *result["programs"], *(["geometric mean"] if absolute else []))
        lines = [heads, ("---", *("--:" for _ in heads[1:]))]
        lines += [row[:len(heads)] for row in rows_of(result, figure, absolute)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    parts.append("\n".join(f"- {note.replace('*', '&#42;', 1)}" for note in notes_of(result)))
    return "\n\n".join(parts)


def chart(result, figure, title):
    """A row for each tool: a dot for each program, a line at the geometric mean."""
    rows = []
    for tool in result["tools"]:
        if tool["is_base"]:
            continue
        cells = {name: rows[tool["name"]] for name, rows in result["programs"].items()}
        rows.append(dots.Row(
            name=tool["name"] + (" *" if tool["is_slow"] else ""),
            values={name: row[f"{figure}_ratio"] for name, row in cells.items()
                    if "failed" not in row},
            missing=[name for name, row in cells.items() if "failed" in row],
            mean=tool["mean"][figure] if tool["mean"] else None,
            is_ours=tool["name"].startswith("mete"),
        ))
    note = "* a tenth of the work" if any(tool["is_slow"] for tool in result["tools"]) else ""
    return dots.draw(title, note, list(result["programs"]), rows)


def document(result, path):
    """Writes the table into the document, which is made when it is not there, and the charts."""
    stem = path.with_suffix("")
    charts = []
    for figure, name, title in (
        ("cpu_us", "cpu", "CPU time, as multiples of the program alone"),
        ("peak_kib", "memory", "Peak memory, as multiples of the program alone"),
    ):
        to = stem.with_name(f"{stem.name}-{name}.svg")
        to.write_text(chart(result, figure, title), encoding="utf-8")
        charts.append(f"![{title}]({to.name})")
    made = "\n\n".join([BEGIN, *charts, markdown(result), END])
    old = path.read_text(encoding="utf-8") if path.exists() else f"{INTRODUCTION}{BEGIN}{END}\n"
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise CannotRun(f"{path} has no place for the table: '{BEGIN}' and '{END}'")
    path.write_text(before + made + after, encoding="utf-8")
