"""What the runners' command lines have in common."""

import argparse
import json
import os
import sys
from pathlib import Path

from harness import allocators
from harness.measure import CannotRun, Launcher

BENCH = Path(__file__).resolve().parent.parent


def comma_list(text):
    return [word for word in text.split(",") if word]


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def parser(description):
    """A parser with the options that every runner takes."""
    made = argparse.ArgumentParser(description=description, allow_abbrev=False)
    made.add_argument("build", nargs="?", type=Path, default=BENCH.parent / "build",
                      metavar="BUILD", help="the build folder (default: build)")
    made.add_argument("--object", type=Path, metavar="PATH",
                      help="the preload object called mete (default: libmete-preload.so there)")
    made.add_argument("--allocators", type=comma_list, metavar="NAME,…",
                      help="of mete, mimalloc, jemalloc, tcmalloc (default: all installed); "
                           "glibc is always there")
    made.add_argument("--json", action="store_true", help="print JSON instead of text")
    return made


def progress(text):
    """One line that is overwritten, for whoever watches."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def tell(text):
    """Prints to standard output; what cannot be written is a failure and one line about it."""
    try:
        print(text, flush=True)
    except OSError as reason:
        # At its end Python would try once more, and complain in many lines.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise CannotRun(f"cannot write to standard output: {reason.strerror}") from None


def main(options, question, text):
    """Asks `question(launcher, allocators, options)`, prints what `text(result)` makes of it."""
    try:
        object_path = options.object or options.build / "libmete-preload.so"
        chosen = allocators.select(options.allocators, object_path)
        with Launcher(options.build) as launcher:
            allocators.check_in_effect(launcher, chosen)
            result = question(launcher, chosen, options)
        result["allocators"] = {one.name: one.path and str(one.path) for one in chosen}
        progress("")
        if options.json:
            tell(json.dumps(result, indent=1, ensure_ascii=False))
        else:
            tell("\n".join(text(result)))
        return 0
    except CannotRun as reason:
        progress("")
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
