"""C: the text of a large translation unit without includes, for the compiler to chew on.

Deterministic: functions with loops, switches, structures and calls of one another, so that each
pass of an optimising compiler has something to do.
Usage: generate_c.py FUNCTIONS
"""

import sys


def numbers(seed):
    while True:
        seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        yield seed >> 33


HEADER = """\
typedef unsigned long word;
struct item { word key; word weight; struct item *next; int marks[4]; };
extern void report(word, const char *);
"""

LOOKUP = """\
static word lookup_{i}(const struct item *item, word key)
{{
    word sum = {a};
    for (; item; item = item->next) {{
        if (item->key == key) return item->weight + sum;
        sum += item->marks[key & 3] * {b};
    }}
    return sum;
}}
"""

DISPATCH = """\
word dispatch_{i}(struct item *items, word kind, int count)
{{
    word total = 0;
    for (int i = 0; i < count; i++) {{
        switch ((kind + (word)i) % {cases}) {{
{arms}
        default: total ^= items[i].key << {c}; break;
        }}
        if (total > {d}u) report(total, "dispatch {i}");
    }}
    return total + lookup_{i}(items, total);
}}
"""


def arm(number, draw, known):
    forms = (
        f"total += items[i].weight * {next(draw) % 1000};",
        f"total ^= items[i].key >> {next(draw) % 30}; items[i].marks[{next(draw) % 4}]++;",
        f"items[i].weight = total - {next(draw) % 5000}; total = total << 3 | total >> 61;",
        f"total += lookup_{next(draw) % (known + 1)}(items + i, total);",
    )
    return f"        case {number}: {forms[next(draw) % len(forms)]} break;"


def generate(functions, seed=20261122):
    """The whole text; `functions` pairs of functions."""
    draw = numbers(seed)
    parts = [HEADER]
    for i in range(functions):
        cases = 4 + next(draw) % 8
        arms = "\n".join(arm(number, draw, i) for number in range(cases))
        parts.append(LOOKUP.format(i=i, a=next(draw) % 100, b=1 + next(draw) % 50))
        parts.append(
            DISPATCH.format(
                i=i, cases=cases + 1, arms=arms, c=next(draw) % 20, d=next(draw) % 100000
            )
        )
    return "\n".join(parts)


if __name__ == "__main__":
    print(generate(int(sys.argv[1])))
