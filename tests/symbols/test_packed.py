"""Names from compressed debug information, of which no more is unpacked than is asked of."""

import re
import shutil

import pytest

from asking import SOURCES, call, return_addresses

FIRST = """
int outside(int);
__attribute__((noinline)) int first_of_all(int x) { return outside(x) + 1; }
"""
LAST = """
int first_of_all(int);
static inline __attribute__((always_inline)) int within(int x) { return first_of_all(x) * 2; }
__attribute__((noinline)) int last_of_all(int x) { return within(x) + within(x + 1); }
int outside(int x) { return x ? last_of_all(x - 1) : 0; }
"""


def linked(folder, *flags, compiler="g++"):
    """A program of three units, the second of them the largest."""
    (folder / "first.c").write_text(FIRST, encoding="ascii")
    (folder / "last.c").write_text(LAST, encoding="ascii")
    program = folder / "plain"
    sources = ("first.c", SOURCES / "sample.cc", "last.c")
    call(compiler, "-x", "c++", *sources, "-o", program, "-O2", "-g", *flags, cwd=folder)
    return program


def sections(path):
    """The (offset, size, flags) of each section."""
    found = {}
    for row in call("readelf", "-S", "-W", path).splitlines():
        words = re.match(
            r" *\[ *\d+\] (\S+) +\S+ +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+) \w+ +([A-Za-z]*) +\d", row
        )
        if words:
            found[words[1]] = (int(words[2], 16), int(words[3], 16), words[4])
    return found


def packed(program):
    path = program.with_name("packed")
    call("objcopy", "--compress-debug-sections=zlib", program, path)
    assert "C" in sections(path)[".debug_info"][2]
    return path


def without_ranges(program):
    """The program that does not say which unit holds an address: all of them are looked at."""
    path = program.with_name("without_ranges")
    call("objcopy", "--remove-section=.debug_aranges", program, path)
    return path


def all_functions(answer):
    return {line[0] for lines in answer.names.values() for line in lines}


WAYS = [
    ("g++", "-gdwarf-5"),
    ("g++", "-gdwarf-4"),
    ("g++", "-gdwarf-2"),
    ("g++", "-gdwarf-5", "-flto", "-flto-partition=max"),
    ("g++", "-gdwarf-5", "-fdebug-types-section"),
    ("g++", "-gdwarf-4", "-fdebug-types-section"),
    ("g++", "-gdwarf-5", "-gsplit-dwarf"),
    ("g++", "-gdwarf-4", "-gsplit-dwarf"),
    ("g++", "-gdwarf-5", "-ffunction-sections", "-Wl,--gc-sections"),
    ("clang++", "-gdwarf-5"),
    ("clang++", "-gdwarf-5", "-gdwarf-aranges"),
    ("clang++", "-gdwarf-4", "-gdwarf-aranges"),
]


@pytest.mark.parametrize("way", WAYS, ids=" ".join)
def test_each_address_is_named_as_where_all_is_read(way, query, tmp_path):
    program = linked(tmp_path, *way[1:], compiler=way[0])
    offsets = return_addresses(program)
    wanted = query(without_ranges(program), offsets).names
    for path in (program, packed(program)):
        assert query(path, offsets).names == wanted
        for offset in offsets:
            answer = query(path, [offset])
            assert answer.names == {offset: wanted[offset]}
            assert answer.module["end"] == "complete"


def test_what_dwz_moved_to_other_units_is_found(query, tmp_path):
    if not shutil.which("dwz"):
        pytest.skip("dwz is not installed")
    program = linked(tmp_path, "-gdwarf-4")
    offsets = return_addresses(program)
    wanted = query(program, offsets).names
    call("dwz", program)
    assert query(packed(program), offsets).names == wanted


def test_without_ranges_of_addresses_the_names_are_the_same(query, tmp_path):
    program = linked(tmp_path)
    offsets = return_addresses(program)
    wanted = query(program, offsets).names
    assert any(line[2] for lines in wanted.values() for line in lines)
    assert query(without_ranges(packed(program)), offsets).names == wanted


def test_an_address_of_no_unit_takes_nothing_from_others(query, tmp_path):
    program = linked(tmp_path)
    offsets = return_addresses(program) + [0x10]
    wanted = query(program, offsets).names
    assert query(packed(program), offsets).names == wanted


def test_what_is_damaged_behind_the_units_asked_for_is_never_reached(query, tmp_path):
    program = linked(tmp_path, "-gdwarf-5")
    offsets = return_addresses(program)
    named = query(program, offsets).names
    path = packed(program)
    place, size, _ = sections(path)[".debug_info"]
    content = bytearray(path.read_bytes())
    content[place + size * 3 // 4 : place + size] = bytes([255]) * (size - size * 3 // 4)
    path.write_bytes(content)
    of_first = [offset for offset in offsets if named[offset][-1][0] == "first_of_all(int)"]
    answer = query(path, of_first)
    assert answer.module["source"] == "dwarf"
    assert answer.names == {offset: named[offset] for offset in of_first}
    answer = query(path, offsets)
    assert answer.module["end"] == "complete"
    assert answer.module["source"] == "table", "the last unit cannot be unpacked"
    assert {"first_of_all(int)", "last_of_all(int)", "main"} <= all_functions(answer)
