"""Prints a large C file, always the same one: what the compilers' tests compile.

Runs of make_c.py N differ from each other in nothing; N is the number of groups of functions.
"""

import random
import sys

GROUP = """
struct node{i} {{ struct node{i} *next; int key; double value; char name[{length}]; }};

static int hash{i}(const char *text, unsigned seed)
{{
    unsigned value = seed ^ {seed}u;
    while (*text)
        value = (value * {factor}u + (unsigned char)*text++) ^ (value >> {shift});
    return (int)(value & 0x7fffffff);
}}

double walk{i}(struct node{i} *list, int *steps)
{{
    double sum = {start};
    for (struct node{i} *node = list; node; node = node->next) {{
        int key = hash{i}(node->name, (unsigned)node->key);
        switch (key % {cases}) {{
{arms}
        default: sum += node->value; break;
        }}
        ++*steps;
    }}
    return sum;
}}

void sort{i}(int *array, int count)
{{
    for (int gap = count / 2; gap > 0; gap /= 2)
        for (int i = gap; i < count; i++)
            for (int j = i - gap; j >= 0 && array[j] > array[j + gap]; j -= gap) {{
                int swap = array[j];
                array[j] = array[j + gap];
                array[j + gap] = swap + (array[j] == {start} ? {cases} : 0);
            }}
}}

float matrix{i}[{cases}][{length}];

void multiply{i}(float *restrict out, const float *restrict in)
{{
    for (int row = 0; row < {cases}; row++)
        for (int column = 0; column < {length}; column++)
            out[row] += matrix{i}[row][column] * in[column] + {seed}.0f;
}}
"""


def group(number, choose):
    cases = choose.randrange(4, 24)
    arms = "\n".join(
        f"        case {case}: sum = sum * {choose.randrange(2, 99)} "
        f"{choose.choice('+-')} key / {choose.randrange(1, 50)}; break;"
        for case in range(cases - 1)
    )
    return GROUP.format(
        i=number, arms=arms, cases=cases, length=choose.randrange(8, 200),
        seed=choose.randrange(1, 1 << 16), factor=choose.randrange(3, 1 << 20) | 1,
        shift=choose.randrange(1, 31), start=choose.randrange(100),
    )


def main():
    choose = random.Random(20261122)
    for number in range(int(sys.argv[1])):
        sys.stdout.write(group(number, choose))


main()
