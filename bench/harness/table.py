"""Text tables and the few units in them."""


def mib(kib):
    return f"{kib / 1024:.1f}"


def layout(rows, left=1):
    """Rows of strings as aligned lines; the first `left` columns are words, the rest numbers."""
    columns = max((len(row) for row in rows), default=0)
    full = [list(row) + [""] * (columns - len(row)) for row in rows]
    widths = [max(len(row[i]) for row in full) for i in range(columns)]
    lines = []
    for row in full:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def verdict_rows(verdicts):
    """One line for each target: what was asked, what was measured, whether it is met."""
    rows = [
        (one["what"], f"target ≤ {one['target']}", one["measured"], one["verdict"])
        for one in verdicts
    ]
    return layout(rows, left=4)
