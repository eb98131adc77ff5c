"""Do real programs run faster, and in no more memory?

Judged by CPU time (user + system) and peak resident memory, as ratios to glibc within each round.
"""

import statistics

from harness import ratios, table, workloads
from harness.command import progress
from harness.measure import CannotRun

CPU_TARGET = 0.80
PEAK_TARGET = 1.00


def run_rounds(launcher, chosen, programs, pairs):
    """{program: {allocator: [figures of each round]}}; one more round first, not counted."""
    runs = {one.name: {each.name: [] for each in chosen} for one in programs}
    outputs = {}
    for number in range(pairs + 1):
        # Every other round runs backwards: a machine that slows down favours nobody.
        order = chosen if number % 2 else chosen[::-1]
        for program in programs:
            for allocator in order:
                progress(f"round {number} of {pairs}: {program.name}, {allocator.name}")
                figures = run_program(launcher, program, allocator)
                expect_same_output(outputs, program, allocator, launcher.output())
                if number > 0:
                    runs[program.name][allocator.name].append(figures)
    return runs


def run_program(launcher, program, allocator):
    return launcher.run(
        program.command,
        preload=allocator.path,
        environment=program.environment,
        input_path=program.input_path,
    )[0]


def expect_same_output(outputs, program, allocator, output):
    if outputs.setdefault(program.name, output) != output:
        raise CannotRun(f"{program.name} with {allocator.name} printed something else")


def ratios_to_glibc(runs, allocator, figure):
    return [
        getattr(one, figure) / getattr(base, figure)
        for one, base in zip(runs[allocator], runs["glibc"])
    ]


def summarise(runs):
    """{program: {allocator: medians, and ratios with their intervals}}"""
    summary = {}
    for program, of_program in runs.items():
        summary[program] = {}
        for allocator, figures in of_program.items():
            summary[program][allocator] = {
                "cpu_us": round(statistics.median(one.cpu_us for one in figures)),
                "peak_kib": round(statistics.median(one.peak_kib for one in figures)),
                "minor_faults": round(statistics.median(one.minor_faults for one in figures)),
                "cpu_ratio": ratios.estimate(ratios_to_glibc(of_program, allocator, "cpu_us")),
                "peak_ratio": ratios.estimate(ratios_to_glibc(of_program, allocator, "peak_kib")),
            }
    return summary


def geometric_means(runs, chosen):
    means = {}
    for allocator in chosen:
        for figure in ("cpu_us", "peak_kib"):
            groups = [ratios_to_glibc(one, allocator.name, figure) for one in runs.values()]
            name = figure.split("_")[0] + "_ratio"
            means.setdefault(allocator.name, {})[name] = ratios.geometric_mean(groups)
    return means


def verdicts_of(means, pairs):
    verdicts = []
    for what, name, target in (
        ("programs: CPU of glibc, geometric mean", "cpu_ratio", CPU_TARGET),
        ("programs: peak memory of glibc, geometric mean", "peak_ratio", PEAK_TARGET),
    ):
        measured = means["mete"][name]
        verdicts.append({
            "what": what,
            "target": f"{target:.2f}",
            "measured": f"{measured} ({measured.interval()})",
            "verdict": ratios.verdict_of_ratio(measured, target, pairs),
        })
    return verdicts


def ask(launcher, chosen, options):
    programs = workloads.select(options.programs, launcher.scratch.name)
    runs = run_rounds(launcher, chosen, programs, options.pairs)
    means = geometric_means(runs, chosen)
    has_mete = any(one.name == "mete" for one in chosen)
    return {
        "schema": 1,
        "question": "programs",
        "pairs": options.pairs,
        "seed": ratios.SEED,
        "programs": plain(summarise(runs)),
        "geometric_mean": plain(means),
        "rounds": {
            program: {name: [vars(one) for one in figures] for name, figures in of.items()}
            for program, of in runs.items()
        },
        "verdicts": verdicts_of(means, options.pairs) if has_mete else [],
    }


def plain(tree):
    """The same with every estimate as a dictionary."""
    if isinstance(tree, ratios.Estimate):
        return tree.as_json()
    if isinstance(tree, dict):
        return {name: plain(branch) for name, branch in tree.items()}
    return tree


def ratio_cells(row, name):
    one = ratios.Estimate(**row[name])
    return [str(one), one.interval()]


def text(result):
    """The result as lines of text."""
    rows = [("", "", "CPU ms", "of glibc", "90 % interval", "peak MiB", "of glibc",
             "90 % interval", "faults")]
    for program, of_program in result["programs"].items():
        for name, row in of_program.items():
            is_base = name == "glibc"
            cpu = ["", ""] if is_base else ratio_cells(row, "cpu_ratio")
            peak = ["", ""] if is_base else ratio_cells(row, "peak_ratio")
            rows.append((program if is_base else "", name, f"{row['cpu_us'] / 1000:.0f}", *cpu,
                         table.mib(row["peak_kib"]), *peak, str(row["minor_faults"])))
    title = "geometric mean"
    for name, row in result["geometric_mean"].items():
        if name != "glibc":
            rows.append((title, name, "", *ratio_cells(row, "cpu_ratio"),
                         "", *ratio_cells(row, "peak_ratio"), ""))
            title = ""
    return [
        f"Real programs, {result['pairs']} interleaved rounds; median of the ratios within each "
        f"round, bootstrap seed {result['seed']}",
        *table.layout(rows, left=2),
        *table.verdict_rows(result["verdicts"]),
    ]
