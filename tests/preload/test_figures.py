"""The calls that report on the heap and tune it: mallinfo, malloc_info, malloc_stats, mallopt,
malloc_trim."""

import xml.etree.ElementTree

import pytest


def test_mallinfo2_adds_up(compile_program, succeeds):
    """Protects arena == uordblks + fordblks, and blocks with their own mappings being counted."""
    succeeds([compile_program("mallinfo.c")])


def test_mallinfo_saturates(compile_program, run_preloaded):
    """Protects programs that still read ints: past 2 GiB they get INT_MAX, not a wrapped number.
    (glibc's own mallinfo wraps, so this one runs on our heap alone.)"""
    result = run_preloaded([compile_program("mallinfo.c"), "saturates"])
    assert result.status == 0, result


def test_malloc_info_is_well_formed(compile_program, succeeds):
    """Protects whoever parses malloc_info: glibc's elements are there, and their sums agree."""
    result = succeeds([compile_program("malloc_info.c")])
    root = xml.etree.ElementTree.fromstring(result.stdout)
    assert root.tag == "malloc" and root.get("version") == "1"
    heap = root.find("heap")
    assert heap.get("nr") == "0"
    sizes = list(heap.find("sizes"))
    assert sizes
    for size in sizes:
        low, high = int(size.get("from")), int(size.get("to"))
        assert 0 < low <= high
        assert low * int(size.get("count")) <= int(size.get("total")) or low == 1
        assert int(size.get("total")) <= high * int(size.get("count"))
    assert {total.get("type") for total in heap.findall("total")} == {"fast", "rest"}
    totals = {total.get("type"): total for total in root.findall("total")}
    assert set(totals) == {"fast", "rest", "mmap"}
    assert int(totals["mmap"].get("count")) == 1
    assert int(totals["mmap"].get("size")) >= 64 << 20
    for parent in (heap, root):
        system = {row.get("type"): int(row.get("size")) for row in parent.findall("system")}
        assert 0 < system["current"] <= system["max"]
        assert {row.get("type") for row in parent.findall("aspace")} == {"total", "mprotect"}


def test_malloc_info_shows_our_classes(compile_program, run_preloaded):
    """Protects our own part of malloc_info: every class has spans, and live blocks are seen."""
    result = run_preloaded([compile_program("malloc_info.c")])
    heap = xml.etree.ElementTree.fromstring(result.stdout).find("heap")
    classes = [{k: int(v) for k, v in row.items()} for row in heap.find("classes")]
    assert classes == sorted(classes, key=lambda row: row["block_size"])
    assert all(row["spans"] > 0 and row["block_size"] % 16 == 0 for row in classes)
    assert sum(row["live_blocks"] for row in classes) >= 300
    assert sum(row["live_blocks"] * row["block_size"] for row in classes) <= int(
        heap.find("system").get("size")
    )


def test_malloc_stats_goes_to_fd_2(compile_program, succeeds):
    """Protects cancellation-safety of malloc_stats, programs whose fd 2 is closed, and those that
    look for glibc's labels in what it prints."""
    result = succeeds([compile_program("malloc_stats.c")], quiet=False)
    assert result.stdout == b"went on\n"
    lines = result.stderr.decode().splitlines()
    labels = [line.partition(" = ")[0] for line in lines]
    arena = ["system bytes    ", "in use bytes    "]
    assert labels[:3] == ["Arena 0:", *arena]
    totals_at = labels.index("Total (incl. mmap):") + 1
    totals = lines[totals_at : totals_at + 4]
    assert labels[totals_at : totals_at + 4] == [*arena, "max mmap regions", "max mmap bytes  "]
    system, in_use, regions, mmap_bytes = (int(line.partition(" = ")[2]) for line in totals)
    assert 64 << 20 <= in_use <= system
    assert regions >= 1 and mmap_bytes >= 64 << 20  # the program has such a block


def test_mallopt_answers_as_glibc(compile_program, succeeds):
    """Protects set-up code that checks mallopt's result, and M_MMAP_THRESHOLD's effect."""
    succeeds([compile_program("mallopt.c")])


def test_perturb_fills_blocks(compile_program, succeeds):
    """Protects those who hunt stale memory with mallopt(M_PERTURB)."""
    succeeds([compile_program("perturb.c")])


@pytest.mark.parametrize("variable", ["METE", "MALLOC_PERTURB_"])
def test_perturb_comes_from_the_environment(compile_program, run_preloaded, variable):
    """Protects the same from outside the program, by our setting and by glibc's variable."""
    value = "perturb=85" if variable == "METE" else "85"
    result = run_preloaded([compile_program("perturb.c"), "set"], env={variable: value})
    assert result.status == 0, result


def test_trim_returns_memory(compile_program, succeeds):
    """Protects programs that trim by hand: nothing goes before malloc_trim, much goes then."""
    succeeds([compile_program("trim.c")])
