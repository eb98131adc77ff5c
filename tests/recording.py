"""Reads recordings for tests, by what they say of themselves, and makes them: a reader of its own,
so that a mistake in mete's is seen."""

import collections
import mmap
import os
import pathlib
import re
import signal
import struct
import subprocess

MAGIC = b"mete\r\n\032\n"
NONE = 0xFFFFFFFF
TYPES = "BIQqf"
TEXT = 5
KINDS = ("stack", "before", "signal", "others", "itself", "thread")
ENDS = ("complete", "no rule", "signal", "depth", "bounds", "unsupported")
LEAK_STATES = ("unasked", "awaited", "scanned", "refused", "busy")
LEAK_KINDS = ("direct", "indirect", "interior", "reachable", "inherited", "ignored")
STATES = ("running", "ended", "execed", "waited")
# What a row and a thread both count; the sums over either are the process's.
COUNTED = (
    "allocations", "bytes_allocated", "wasted_allocated", "frees", "bytes_freed", "wasted_freed",
    "temporary", "reallocations",
)


class Site:
    """A call stack with what was done there: sums over its rows."""

    def __init__(self, kind, end="", depth=0, walk=None):
        self.kind = kind
        self.end = end
        self.depth = depth
        self.walk = walk or (lambda: ([], []))
        for name in (*COUNTED, "inherited", "at_peak_bytes", "at_peak_blocks"):
            setattr(self, name, 0)
        self.sizes = [0] * 16

    @property
    def stack(self):
        """Names, innermost first."""
        return self.walk()[0]

    @property
    def frames(self):
        """(module's path or None, offset), innermost first."""
        return self.walk()[1]

    @property
    def live_blocks(self):
        return self.allocations - self.frees

    @property
    def live_bytes(self):
        return self.bytes_allocated - self.bytes_freed

    def figures(self):
        """What a test knows: allocations, bytes, frees, temporary, reallocations, live bytes."""
        return (self.allocations, self.bytes_allocated, self.frees, self.temporary,
                self.reallocations, self.live_bytes)

    def add(self, other):
        """Adds another's figures."""
        for name in (*COUNTED, "inherited", "at_peak_bytes", "at_peak_blocks"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __repr__(self):
        return f"{self.kind} {self.figures()} {' < '.join(self.stack)}"


class Recording:
    """A whole recording in memory."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        # Mapped, since one that nobody has cut to size is large and mostly holes.
        with open(self.path, "rb") as opened:
            content = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        assert content[:8] == MAGIC, f"{path} is no recording"
        version, header_size, tables, _ = struct.unpack_from("<IIII", content, 8)
        assert version == 1
        first_column = 56 + 32 * 56
        assert header_size <= len(content)
        self.tables = {}
        for i in range(tables):
            name, row_size, first, columns, _, offset, _, count = struct.unpack_from(
                "<16sIIIIQQQ", content, 56 + i * 56)
            described = []
            for j in range(first, first + columns):
                column, kind, at, times = struct.unpack_from(
                    "<24sIHH", content, first_column + j * 32)
                described.append((text_of(column), kind, at, times))
            self.tables[text_of(name)] = (content, offset, row_size, count, described)
        self.process = self.rows("process")[0]
        self.threads = self.rows("threads")
        self.lost = {self.text(row["reason"]): row["events"] for row in self.rows("lost")}
        self.modules = [self.text(row["path"]) for row in self.rows("modules")]
        self._sites = None

    def columns(self, name, wanted=None):
        """A table's rows as tuples of the columns wanted, or of all; their names. A column of
        several is a tuple, a text its place."""
        content, offset, row_size, count, columns = self.tables[name]
        columns = [column for column in columns if wanted is None or column[0] in wanted]
        layout = "<"
        at = 0
        shapes = []
        for _, kind, place, times in sorted(columns, key=lambda column: column[2]):
            assert place >= at
            layout += f"{place - at}x"
            pieces = times * 2 if kind == TEXT else times
            layout += f"{pieces}{'I' if kind == TEXT else TYPES[kind]}"
            at = place + struct.calcsize(f"<{pieces}{'I' if kind == TEXT else TYPES[kind]}")
            shapes.append(pieces)
        layout += f"{row_size - at}x"
        names = [column[0] for column in sorted(columns, key=lambda column: column[2])]
        flat = struct.iter_unpack(layout, content[offset:offset + row_size * count])
        if all(pieces == 1 for pieces in shapes):
            return names, list(flat)
        rows = []
        for values in flat:
            row = []
            first = 0
            for pieces in shapes:
                row.append(values[first] if pieces == 1 else values[first:first + pieces])
                first += pieces
            rows.append(tuple(row))
        return names, rows

    def rows(self, name):
        """A table as dictionaries."""
        names, rows = self.columns(name)
        return [dict(zip(names, row)) for row in rows]

    def text(self, place):
        content, offset, _, count, _ = self.tables["bytes"]
        assert place[0] + place[1] <= count
        return content[offset + place[0]:offset + sum(place)].decode("utf-8", "replace")

    @property
    def program(self):
        return self.text(self.process["program"]).rpartition("/")[2]

    @property
    def state(self):
        return STATES[self.process["state"]]

    @property
    def leak_state(self):
        return LEAK_STATES[self.process["leak_state"]]

    def frame_names(self):
        """Per frame its lines' functions, innermost first, or module+offset."""
        lines = [self.text(row["function"]) for row in self.rows("lines")]
        named = self.rows("names")
        found = []
        for i, frame in enumerate(self.rows("frames")):
            words = []
            if i < len(named):
                words = lines[named[i]["first"]:named[i]["first"] + named[i]["count"]]
            if not words or not words[0]:
                where = "?" if frame["module"] == NONE else self.modules[frame["module"]]
                words = [f"{where.rpartition('/')[2]}+{frame['offset']:#x}"]
            found.append(words)
        return found

    @property
    def sites(self):
        """All sites, by index."""
        if self._sites is None:
            self._sites = self._read_sites()
        return self._sites

    def _read_sites(self):
        names = self.frame_names()
        frames = self.columns("frames", ("module", "offset"))[1]
        nodes = self.columns("nodes", ("parent", "frame"))[1]

        def walk_from(node, depth):
            def walk():
                stack = []
                found = []
                at = node
                while at != NONE:
                    parent, frame = nodes[at]
                    assert parent == NONE or parent < at
                    stack += names[frame]
                    offset, module = frames[frame]
                    found.append((None if module == NONE else self.modules[module], offset))
                    at = parent
                assert len(found) == depth
                return stack, found

            return walk

        sites = [
            Site(KINDS[row["kind"]], ENDS[row["end"]], row["depth"],
                 walk_from(row["node"], row["depth"]))
            for row in self.rows("sites")
        ]
        peaks = self.process["peak_count"]
        summed = (*COUNTED, "inherited")
        wanted = (*summed, "site", "peak_count", "at_peak_bytes", "at_peak_blocks", "sizes")
        order, rows = self.columns("rows", wanted)
        for values in rows:
            row = dict(zip(order, values))
            site = sites[row["site"]]
            for name in summed:
                setattr(site, name, getattr(site, name) + row[name])
            site.sizes = [a + b for a, b in zip(site.sizes, row["sizes"])]
            if row["peak_count"] == peaks:
                site.at_peak_bytes += row["at_peak_bytes"]
                site.at_peak_blocks += row["at_peak_blocks"]
            else:
                assert row["peak_count"] < peaks
                site.at_peak_bytes += row["bytes_allocated"] - row["bytes_freed"]
                site.at_peak_blocks += row["allocations"] - row["frees"]
        return sites

    def total(self, name):
        """A figure of the whole process."""
        return sum(thread[name] for thread in self.threads)

    def by_function(self):
        """Sums over the sites whose innermost frame is in a function."""
        found = collections.defaultdict(lambda: Site("sum"))
        for site in self.sites:
            found[site.stack[0] if site.depth else site.kind].add(site)
        return found

    def check(self):
        """What holds of every finished recording."""
        for name in COUNTED:
            over_sites = sum(getattr(site, name) for site in self.sites)
            assert over_sites == self.total(name), (name, over_sites, self.total(name))
        live = self.total("bytes_allocated") - self.total("bytes_freed")
        assert self.process["live_bytes"] == live, (self.process["live_bytes"], live)
        blocks = self.total("allocations") - self.total("frees")
        assert self.process["live_blocks"] == blocks
        assert self.process["peak_bytes"] >= live
        for site in self.sites:
            assert sum(site.sizes) == site.allocations, site
            assert site.live_blocks >= 0 and site.live_bytes >= 0, site
            assert site.temporary <= site.frees <= site.allocations, site
        if self.process["is_peak_exact"]:
            at_peak = sum(site.at_peak_bytes for site in self.sites)
            assert at_peak == self.process["peak_bytes"]
        return self


def text_of(padded):
    """A name padded with zeroes."""
    return padded.rstrip(b"\0").decode()


def unwrapped(text):
    """What mete says in its own name on several lines is one line again."""
    return re.sub(r"(?<=\S)\n {6}(?=\S)", " ", text)


def said_in(text):
    """The lines that are mete's own."""
    return re.findall("^mete: .*", unwrapped(text), re.MULTILINE)


class Observed:
    """What `mete run` did and what it left."""

    def __init__(self, status, out, err, folder):
        self.status = status
        self.out = out
        self.err = err
        self.folder = folder
        self.recordings = sorted(
            (Recording(path) for path in folder.glob("*.mete")),
            key=lambda item: (item.process["pid"], item.process["image"]),
        )

    def said(self):
        """What mete itself says, each on a line."""
        return said_in(self.err.decode("utf-8", "replace"))

    def of(self, program):
        """The recordings of a program."""
        return [item for item in self.recordings if item.program == program]

    def only(self):
        """The one recording."""
        assert len(self.recordings) == 1, self
        return self.recordings[0]

    def __repr__(self):
        names = [item.path.name for item in self.recordings]
        return f"status {self.status}\nstdout: {self.out[-3000:]!r}\nstderr: {self.err!r}\n{names}"


NOT_OURS = ("METE", "LD_PRELOAD")


def default_signals():
    """Python ignores these, and programs would inherit that."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def observe(mete, words, folder, options=(), env=None, prefix=(), **more):
    """Runs `mete run` with recordings in a folder, which must be empty."""
    folder.mkdir(exist_ok=True)
    assert not list(folder.glob("*.mete"))
    variables = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    variables.update(env or {})
    more.setdefault("stdin", subprocess.DEVNULL if "input" not in more else None)
    if more["stdin"] is None:
        del more["stdin"]
    more.setdefault("timeout", 120)
    done = subprocess.run(
        [*prefix, mete, "run", "-o", f"{folder}/", *options, "--", *map(str, words)],
        env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
        preexec_fn=default_signals, **more,
    )
    return Observed(done.returncode, done.stdout, done.stderr, folder)


