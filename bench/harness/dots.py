"""A chart of ratios: a row for each tool, on a logarithmic scale a dot for each program."""

import math
from dataclasses import dataclass
from html import escape

WIDTH = 760
LEFT = 190  # of the scale; names stand before it
RIGHT = 24
TOP = 84
ROW = 30
COLOURS = ("#3987c9", "#e0823d", "#4aa564", "#b05cc6", "#c9a227", "#5f7d8c")
MARKS = (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
STYLE = """
text { font: 13px system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.quiet { fill: #57606a; font-size: 12px }
.ours { font-weight: 600 }
.ground { fill: #ffffff }
.line { stroke: #d0d7de }
.one { stroke: #8c959f }
.mean { stroke: #24292f; stroke-width: 2.5 }
.band { fill: #eef4fb }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .quiet { fill: #9da7b3 } .ground { fill: #12161c }
  .line { stroke: #2d333b } .one { stroke: #768390 } .mean { stroke: #e6edf3 }
  .band { fill: #1a2430 }
}
"""


@dataclass
class Row:
    name: str
    values: dict  # by series
    missing: list  # series that failed
    mean: float | None
    is_ours: bool = False


class Scale:
    """From ratios to places, with a mark of its own at each end."""

    def __init__(self, values):
        low = min([1, *values])
        high = max([2, *values])
        self.low = max((mark for mark in MARKS if mark <= low), default=MARKS[0])
        self.high = min((mark for mark in MARKS if mark >= high), default=MARKS[-1])
        self.marks = [mark for mark in MARKS if self.low <= mark <= self.high]

    def place(self, value):
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return LEFT + min(max(share, 0), 1) * (WIDTH - LEFT - RIGHT)


def put(x, y, words, kind="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">'
            f"{escape(words)}</text>")


def rule(x, top, bottom, kind):
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" class="{kind}"/>'


def draw_name(row, y):
    parts = []
    if row.is_ours:
        parts.append(f'<rect x="0" y="{y - ROW / 2}" width="{WIDTH}" height="{ROW}" '
                     f'class="band"/>')
    parts.append(put(LEFT - 14, y + 4.5, row.name, "ours" if row.is_ours else "", "end"))
    return parts


def draw_values(row, y, scale, colours):
    parts = []
    if row.mean:
        parts.append(rule(scale.place(row.mean), y - 10, y + 10, "mean"))
    for series, value in row.values.items():
        parts.append(
            f'<circle cx="{scale.place(value):.1f}" cy="{y}" r="5" fill="{colours[series]}" '
            f'fill-opacity="0.9"><title>{escape(series)}: {value:.2f}</title></circle>')
    if row.missing:
        last = max([scale.place(value) for value in row.values.values()], default=LEFT)
        parts.append(put(last + 14, y + 4, f"fails: {', '.join(row.missing)}", "quiet"))
    return parts


def draw(title, note, series, rows):
    """The chart as an SVG; `series` in the order of their colours."""
    colours = dict(zip(series, COLOURS))
    scale = Scale([value for row in rows for value in row.values.values()])
    bottom = TOP + ROW * len(rows)
    height = bottom + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" class="ground"/>',
        put(20, 28, title, "title"),
    ]
    x = 20
    for name in series:
        parts.append(f'<circle cx="{x + 5}" cy="50" r="5" fill="{colours[name]}"/>')
        parts.append(put(x + 15, 54.5, name, "quiet"))
        x += 34 + 7 * len(name)
    parts.append(f'<line x1="{x + 6}" x2="{x + 6}" y1="42" y2="58" class="mean"/>')
    parts.append(put(x + 14, 54.5, "geometric mean", "quiet"))
    parts.append(put(WIDTH - 20, 54.5, note, "quiet", "end"))
    places = [TOP + ROW * (i + 0.5) for i in range(len(rows))]
    for row, y in zip(rows, places):
        parts += draw_name(row, y)
    for mark in scale.marks:
        parts.append(rule(scale.place(mark), TOP, bottom, "one" if mark == 1 else "line"))
        parts.append(put(scale.place(mark), bottom + 20, f"{mark:g}×", "quiet", "middle"))
    for row, y in zip(rows, places):
        parts += draw_values(row, y, scale, colours)
    return "\n".join([*parts, "</svg>", ""])
