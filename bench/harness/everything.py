"""The questions that have a target, one after the other, and one summary."""

from harness import compared, idle, leak_scan, memory_return, observers, programs, table

SECTIONS = {
    "programs": programs,
    "memory_return": memory_return,
    "idle": idle,
    "observers": observers,
    "leak_scan": leak_scan,
    "compared": compared,
}


def ask(launcher, chosen, options):
    with_target = [one for one in chosen if one.name in ("glibc", "mete")]
    results = {}
    for name, section in SECTIONS.items():
        # The others never return memory in silence: shown once by bench/memory_return, not here.
        asked = with_target if section is memory_return else chosen
        results[name] = section.ask(launcher, asked, options)
    return {
        "schema": 1,
        "question": "everything",
        "sections": results,
        "verdicts": [one for result in results.values() for one in result["verdicts"]],
    }


def text(result):
    lines = []
    for name, section in SECTIONS.items():
        of_section = {**result["sections"][name], "verdicts": []}
        lines += [*section.text(of_section), ""]
    return [*lines, f"mete is {result['allocators']['mete']}",
            *table.verdict_rows(result["verdicts"])]
