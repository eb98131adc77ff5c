"""Python: JSON documents, dictionaries of words, objects with histories, trees, made and dropped.

Run with PYTHONMALLOC=malloc every object is a block of malloc's. Deterministic: prints checksums.
objects.py N does an Nth of it.
"""

import json
import random
import sys


class Account:
    def __init__(self, number, owner, draw):
        self.number = number
        self.owner = owner
        self.balance = draw / 100
        self.history = [draw % 997 * 1000, draw % 89, (draw, number)]


class Node:
    __slots__ = ("key", "value", "left", "right")

    def __init__(self, key, value):
        self.key = key
        self.value = value
        self.left = None
        self.right = None


def documents(draw, count):
    """Records written as JSON and read back: short strings, small lists and dictionaries."""
    records = [
        {
            "id": i,
            "name": f"record {draw(17)}",
            "tags": [f"tag{number}" for number in range(draw(3))],
            "position": {"x": draw(30) / 7, "y": draw(30) / 11},
            "active": i % 3 == 0,
        }
        for i in range(count)
    ]
    text = json.dumps(records)
    back = json.loads(text)
    return len(text) + sum(len(record["tags"]) for record in back)


def words(draw, count):
    """A dictionary of where each word stands, and its most frequent words."""
    text = " ".join(f"w{draw(14):x}" for _ in range(count))
    places = {}
    for position, word in enumerate(text.split()):
        places.setdefault(word, []).append((position, position + len(word)))
    common = sorted(places.items(), key=lambda item: (-len(item[1]), item[0]))
    return sum(len(word) * found[0][1] for word, found in common[:1000])


def accounts(draw, count, churn):
    """Objects of a class, replaced at random, then grouped."""
    live = [Account(i, f"owner {draw(12)}", draw(20)) for i in range(count)]
    for i in range(churn):
        live[draw(30) % count] = Account(i, f"owner {i % 4096}", draw(20))
    by_owner = {}
    for account in live:
        by_owner.setdefault(account.owner, []).append(account)
    rows = sorted((sum(a.balance for a in of), owner) for owner, of in by_owner.items())
    return int(sum(balance for balance, _ in rows)) + len(rows)


def insert(root, key, value):
    node = root
    while True:
        if key == node.key:
            node.value = value
            return
        below = node.left if key < node.key else node.right
        if below is None:
            break
        node = below
    if key < node.key:
        node.left = Node(key, value)
    else:
        node.right = Node(key, value)


def tree(draw, count):
    """A binary tree that is built key by key and walked."""
    root = Node(1 << 29, (0, "root"))
    for _ in range(count):
        insert(root, draw(30), (draw(30), "leaf"))
    total, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        total += node.value[0] % 1000
        waiting.extend(below for below in (node.left, node.right) if below)
    return total


def main():
    share = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    draw = random.Random(20261122).getrandbits
    print(documents(draw, 45000 // share))
    print(words(draw, 120000 // share))
    print(accounts(draw, 60000 // share, 60000 // share))
    print(tree(draw, 8000 // share))


main()
