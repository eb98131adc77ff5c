"""What Debian's python3 runs, natively and on mete's heap: containers, text, JSON, big numbers,
threads, a subprocess. It prints digests only, which depend on nothing but this file."""

import collections
import hashlib
import json
import random
import re
import sqlite3
import subprocess
import sys
import threading
import zlib

RANDOM = random.Random(20261122)


def say(name, value):
    digest = hashlib.sha256(repr(value).encode()).hexdigest()[:16]
    print(f"{name} {digest}")


def words(count):
    return ["".join(RANDOM.choices("abcdefghij", k=RANDOM.randrange(1, 24))) for _ in range(count)]


def containers():
    table = {word: i for i, word in enumerate(words(150000))}
    for word in list(table)[::3]:
        del table[word]
    groups = collections.defaultdict(list)
    for word, i in table.items():
        groups[word[:2]].append(i)
    say("containers", sorted((key, len(value), sum(value)) for key, value in groups.items()))


def texts():
    text = " ".join(words(60000))
    say("split", re.findall(r"\b(a[b-f]+)\w*j\b", text))
    say("sub", re.sub(r"(\w)(\w)", r"\2\1", text))
    grown = ""
    for word in text.split()[:20000]:
        grown += word
    say("grown", grown)


def documents():
    document = {
        f"key{i}": {"list": list(range(i % 50)), "text": "x" * (i % 700)} for i in range(9000)
    }
    text = json.dumps(document)
    say("json", json.loads(text) == document)
    say("zlib", zlib.decompress(zlib.compress(text.encode())) == text.encode())


def numbers():
    value = 1
    for i in range(1, 3000):
        value *= i
    say("factorial", hex(value))
    row = list(range(90))
    say("matrix", [sum(a * b for a, b in zip(row, row[::-1])) * i for i in range(800)])


def rows():
    database = sqlite3.connect(":memory:")
    database.execute("create table t(a integer primary key, b text)")
    database.executemany("insert into t(b) values(?)", ((word,) for word in words(30000)))
    say("rows", database.execute("select b, count(*) from t group by b order by 2, 1").fetchall())


def threads():
    results = {}

    def body(number):
        own = random.Random(number)
        results[number] = sorted(own.random() for _ in range(20000))[::1000]

    bodies = [threading.Thread(target=body, args=(number,)) for number in range(8)]
    for thread in bodies:
        thread.start()
    for thread in bodies:
        thread.join()
    say("threads", sorted(results.items()))


def processes():
    done = subprocess.run(
        [sys.executable, "-c", "print(sum(len(str(i)) for i in range(200000)))"],
        stdout=subprocess.PIPE, check=True,
    )
    say("subprocess", done.stdout)


for part in (containers, texts, documents, numbers, rows, threads, processes):
    part()
