"""What does it cost a program to be observed?

CPU time (user + system) and peak resident memory of the whole tree of processes, the tool's own
included, as ratios to the program alone within each round; and of heaptrack's.
"""

import os
import shutil
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from harness import ratios, table, workloads
from harness.command import progress
from harness.measure import CannotRun
from harness.programs import expect_same_output, plain

CPU_TARGET = 1.25
PEAK_TARGET = 1.15  # and PEAK_SLACK_KIB
PEAK_SLACK_KIB = 16 * 1024
AHEAD_TARGET = 2.0  # heaptrack's CPU over ours, for every program
PROGRAMS = ("python3", "perl", "sqlite3", "cc1", "redis")
REQUESTS = 60000


@dataclass(frozen=True)
class Tool:
    """What a program runs under: the words before its command."""

    name: str
    words: tuple
    rounds: int


def tools(launcher, options):
    mete = options.build.resolve() / "mete"
    if not os.access(mete, os.X_OK):
        raise CannotRun(f"{mete} is not built; run make first, or name the build folder")
    output = Path(launcher.scratch.name, "recording.mete")
    chosen = [
        Tool("none", (), options.pairs),
        Tool("mete", (mete, "run", f"--output={output}", "--summary=/dev/null"), options.pairs),
    ]
    if options.heaptrack_pairs:
        heaptrack = workloads.executable("heaptrack", "heaptrack")
        output = Path(launcher.scratch.name, "heaptrack")
        chosen.append(Tool("heaptrack", (heaptrack, "-o", output), options.heaptrack_pairs))
    return chosen


class Redis:
    """A server and, beside it and not measured, what drives it and ends it."""

    def __init__(self, scratch, share=1):
        self.requests = REQUESTS // share
        self.socket = Path(scratch, "redis.sock")
        self.server = workloads.executable("redis-server", "redis-server")
        self.benchmark = workloads.executable("redis-benchmark", "redis-tools")
        self.client = workloads.executable("redis-cli", "redis-tools")
        command = (self.server, "--port", "0", "--unixsocket", self.socket, "--save", "",
                   "--appendonly", "no", "--daemonize", "no", "--logfile", "/dev/null")
        self.program = workloads.Program("redis", command)

    def drive(self):
        deadline = time.monotonic() + 60
        while not self.socket.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        subprocess.run(
            [self.benchmark, "-s", self.socket, "-q", "-n", str(self.requests), "-r", "20000",
             "-d", "200", "-t", "set,get,lpush,lpop,sadd,hset"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )
        subprocess.run([self.client, "-s", self.socket, "shutdown", "nosave"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def run_under(launcher, tool, program, redis):
    """The figures of one run, and what the program printed: heaptrack writes there too."""
    command = (*tool.words, *program.command)
    driver = threading.Thread(target=redis.drive) if redis else None
    if driver:
        driver.start()
    figures = launcher.run(command, environment=program.environment,
                           input_path=program.input_path)[0]
    if driver:
        driver.join()
    return figures


def attempt(launcher, tool, program, redis):
    """The same; None when it was heaptrack that failed: its interpreter dies on some programs."""
    try:
        return run_under(launcher, tool, program, redis if program.name == "redis" else None)
    except CannotRun:
        if tool.name != "heaptrack":
            raise
        return None


def run_rounds(launcher, chosen, programs, redis, pairs):
    runs = {one.name: {tool.name: [] for tool in chosen} for one in programs}
    outputs = {}
    for number in range(pairs + 1):
        for program in programs:
            for tool in chosen if number % 2 else chosen[::-1]:
                if number > tool.rounds:
                    continue
                progress(f"round {number} of {pairs}: {program.name}, {tool.name}")
                figures = attempt(launcher, tool, program, redis)
                if tool.name != "heaptrack":
                    expect_same_output(outputs, program, tool, launcher.output())
                if number > 0 and figures:
                    runs[program.name][tool.name].append(figures)
    return runs


def ratios_to(base, others, figure, slack=0):
    return [
        (getattr(other, figure) - slack) / getattr(one, figure)
        for one, other in zip(base, others)
    ]


def summarise(runs):
    summary = {}
    for program, of_program in runs.items():
        base = of_program["none"]
        summary[program] = {
            tool: {
                "cpu_us": round(statistics.median(one.cpu_us for one in figures)),
                "peak_kib": round(statistics.median(one.peak_kib for one in figures)),
                "cpu_ratio": ratios.estimate(ratios_to(base, figures, "cpu_us")),
                "peak_ratio": ratios.estimate(ratios_to(base, figures, "peak_kib")),
            }
            for tool, figures in of_program.items() if figures
        }
    return summary


def verdicts_of(runs, pairs):
    cpu = ratios.geometric_mean([ratios_to(one["none"], one["mete"], "cpu_us")
                                 for one in runs.values()])
    verdicts = [{
        "what": "observers: CPU of the program alone, geometric mean",
        "target": f"{CPU_TARGET:.2f}",
        "measured": f"{cpu} ({cpu.interval()})",
        "verdict": ratios.verdict_of_ratio(cpu, CPU_TARGET, pairs),
    }]
    for program, one in runs.items():
        peak = ratios.estimate(
            ratios_to(one["none"], one["mete"], "peak_kib", slack=PEAK_SLACK_KIB))
        verdicts.append({
            "what": f"observers: peak memory less 16 MiB of {program} alone",
            "target": f"{PEAK_TARGET:.2f}",
            "measured": f"{peak} ({peak.interval()})",
            "verdict": ratios.verdict_of_ratio(peak, PEAK_TARGET, pairs),
        })
        if one.get("heaptrack"):
            ahead = ratios.estimate(ratios_to(one["mete"], one["heaptrack"], "cpu_us"))
            verdicts.append({
                "what": f"observers: heaptrack's CPU over mete's, {program}",
                "at_least": True,
                "target": f"{AHEAD_TARGET:.2f}",
                "measured": f"{ahead} ({ahead.interval()})",
                "verdict": "met" if ahead.median >= AHEAD_TARGET else "missed",
            })
    return verdicts


def ask(launcher, chosen, options):
    del chosen  # allocators are another question
    names = options.programs or PROGRAMS
    redis = Redis(launcher.scratch.name) if "redis" in names else None
    programs = workloads.select([name for name in names if name != "redis"] or ["lua"],
                                launcher.scratch.name)
    if all(name == "redis" for name in names):
        programs = []
    if redis:
        programs.append(redis.program)
    runs = run_rounds(launcher, tools(launcher, options), programs, redis, options.pairs)
    return {
        "schema": 1,
        "question": "observers",
        "pairs": options.pairs,
        "seed": ratios.SEED,
        "programs": plain(summarise(runs)),
        "verdicts": verdicts_of(runs, options.pairs),
    }


def text(result):
    rows = [("", "", "CPU ms", "of alone", "90 % interval", "peak MiB", "of alone",
             "90 % interval")]
    for program, of_program in result["programs"].items():
        for name, row in of_program.items():
            cells = []
            for figure, shown in (("cpu_ratio", f"{row['cpu_us'] / 1000:.0f}"),
                                  ("peak_ratio", table.mib(row["peak_kib"]))):
                one = ratios.Estimate(**row[figure])
                cells += [shown] + (["", ""] if name == "none" else [str(one), one.interval()])
            rows.append((program if name == "none" else "", name, *cells))
    return [
        f"Observed programs, {result['pairs']} interleaved rounds (heaptrack: fewer); median of "
        f"the ratios within each round, bootstrap seed {result['seed']}",
        *table.layout(rows, left=2),
        *table.verdict_rows(result["verdicts"]),
    ]
