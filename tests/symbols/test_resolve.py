"""Names of programs compiled in every way that matters, against what other tools say."""

import http.server
import os
import pathlib
import re
import shutil
import threading

import pytest

from asking import call, compiled, return_addresses


def by_llvm(path, offsets):
    """What llvm-symbolizer says: [(file, line)] of each offset, innermost first."""
    text = "".join(f"{offset - 1:#x}\n" for offset in offsets)
    blocks = call("llvm-symbolizer", "--inlining", f"--obj={path}", input=text).split("\n\n")
    names = {}
    for offset, block in zip(offsets, blocks):
        places = (row.rsplit(":", 2) for row in block.strip("\n").splitlines()[1::2])
        names[offset] = [
            (os.path.basename(file), int(line)) if int(line) else ("", 0)
            for file, line, _ in places
        ]
    return names


def expect_same_places(query, path, *options):
    """Files and lines, inlined ones too, are those of llvm-symbolizer."""
    offsets = return_addresses(path)
    answer = query(path, offsets, *options)
    wanted = by_llvm(path, offsets)
    for offset in offsets:
        ours = [(file, line) if line else ("", 0) for _, file, line, _ in answer.names[offset]]
        assert ours == wanted[offset] or (ours == [] and wanted[offset] == [("", 0)]), (
            f"{offset:x}: {answer.names[offset]} {wanted[offset]}"
        )
    return answer, offsets


def expect_sample(answer):
    """The names of sample.cc: the chain of inlined functions, and those of each kind."""
    chains = [[line[0] for line in lines] for lines in answer.names.values()]
    assert any(
        [re.sub(r"\(.*", "", name) for name in chain[-2:]] == ["one::Box<int>::put", "shown"]
        for chain in chains
    ), answer.text
    for lines in answer.names.values():
        assert [line[3] for line in lines] == [True] * (len(lines) - 1) + [False] * bool(lines)
    names = {re.sub(r"\([^(]*\)( const)?$", "", name) for chain in chains for name in chain}
    for name in ("one::(anonymous namespace)::hidden", "one::Box<int>::get", "main"):
        assert name in names, answer.text
    assert not any(re.search(r"\.(cold|part|isra|constprop)", name) for name in names)


WAYS = [
    ("-O2", "-g"),
    ("-O2", "-g", "-gdwarf-4"),
    ("-O2", "-g", "-gdwarf-5", "-gz"),
    ("-O2", "-g", "-no-pie"),
    ("-O2", "-g", "-static"),
    ("-O2", "-g", "-flto"),
    ("-O2", "-g", "-gsplit-dwarf"),
    ("-O2", "-g", "-ffunction-sections", "-Wl,--gc-sections"),
    ("-O1", "-g", "-gdwarf-3"),
    ("-O3", "-g"),
]


@pytest.mark.parametrize("flags", WAYS, ids=" ".join)
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_inlined_functions_and_lines_are_those_of_llvm(compiler, flags, query, tmp_path):
    if compiler == "clang++" and "-flto" in flags:
        flags = (*flags, "-fuse-ld=lld") if shutil.which("ld.lld") else ("-O2", "-g")
    program = compiled(tmp_path, "sample.cc", *flags, compiler=compiler)
    # Of a program linked statically, what is libc's is no part of the question.
    if "-static" in flags:
        answer = query(program, return_addresses(program))
    else:
        answer, _ = expect_same_places(query, program)
    assert answer.module["source"] == "dwarf"
    assert answer.module["file"] == "found"
    assert answer.module["end"] == "complete"
    expect_sample(answer)


def test_a_shared_library_is_named(query, tmp_path):
    library = compiled(tmp_path, "sample.cc", "-O2", "-g", "-shared", "-fPIC", name="libsample.so")
    answer, _ = expect_same_places(query, library)
    expect_sample(answer)


def test_nested_functions_of_c_are_named(query, tmp_path):
    program = compiled(tmp_path, "nested.c", "-O1", "-g")
    answer, _ = expect_same_places(query, program)
    names = {line[0] for lines in answer.names.values() for line in lines}
    assert {"main", "outer", "nested"} <= names, answer.text


def test_without_debug_information_names_are_those_of_the_symbol_table(query, tmp_path):
    program = compiled(tmp_path, "sample.cc", "-O2")
    offsets = return_addresses(program)
    answer = query(program, offsets)
    assert answer.module["source"] == "table"
    names = {name for offset in offsets for name in answer.functions(offset)}
    assert {"main", "shown(int)", "one::Box<int>::get(int)"} <= names
    assert all(line[2] == 0 for lines in answer.names.values() for line in lines)


LABELS = """
.globl main, covering
.type main, @function
main: ret; ret
.size main, 2
aside: nop; nop
__same: same_longer: same: nop; nop
.type covering, @function
.globl function
covering: nop; nop
function: nop; nop
.size covering, 8
inner: nop; nop
.type alias, @function
.set alias, covering
.size alias, 8
nop; nop; nop; nop
last: nop; nop
"""


def test_a_label_reaches_to_the_next_symbol_where_nothing_with_a_size_is(query, tmp_path):
    source = tmp_path / "labels.s"
    source.write_text(LABELS, encoding="ascii")
    program = tmp_path / "labels"
    call("gcc", "-nostartfiles", "-Wl,-e,main", source, "-o", program)
    rows = [row.split() for row in call("nm", program).splitlines()]
    start = {row[2]: int(row[0], 16) for row in rows if len(row) == 3}["main"]
    names = query(program, range(start + 1, start + 19)).names
    of = [lines[0][0] if lines else "" for _, lines in sorted(names.items())]
    # `inner` begins within `covering`, and what is behind that one belongs to nothing.
    wanted = ("main", "aside", "same", *["covering"] * 4, "", "last")
    assert of == [name for name in wanted for _ in range(2)], call("nm", "-n", "-S", program)


def test_of_a_stripped_library_what_it_exports_is_named(query, tmp_path):
    library = compiled(tmp_path, "sample.cc", "-O2", "-shared", "-fPIC", "-s", name="libsample.so")
    offsets = return_addresses(library)
    answer = query(library, offsets)
    assert answer.module["source"] == "exported"
    names = {name for offset in offsets for name in answer.functions(offset)}
    assert "shown(int)" in names
    assert not any("hidden" in name for name in names)
    assert any(not answer.names[offset] for offset in offsets), "what is not exported has no name"


def test_of_a_stripped_program_nothing_is_named(query, tmp_path):
    program = compiled(tmp_path, "nested.c", "-O2", "-s")
    offsets = return_addresses(compiled(tmp_path, "nested.c", "-O2"))
    program = compiled(tmp_path, "nested.c", "-O2", "-s")
    answer = query(program, offsets)
    assert answer.module["file"] == "found"
    assert answer.module["source"] in ("nothing", "exported")
    assert all(not lines for lines in answer.names.values())


def test_a_name_of_any_length_is_named(query, tmp_path):
    name = "f" * 5000
    source = tmp_path / "long.c"
    source.write_text(
        f"void g(void);\n"
        f"__attribute__((noinline)) void {name}(void) {{ g(); g(); }}\n"
        f"__attribute__((noinline)) void g(void) {{ __asm__(\"\"); }}\n"
        f"int main(void) {{ {name}(); return 0; }}\n"
    )
    for flags in (("-O1", "-g"), ("-O1",)):
        call("gcc", *flags, source, "-o", tmp_path / "long")
        answer = query(tmp_path / "long", return_addresses(tmp_path / "long"))
        assert name in {line[0] for lines in answer.names.values() for line in lines}


def test_of_a_name_too_long_to_be_demangled_the_path_remains(query, tmp_path):
    source = tmp_path / "deep.cc"
    source.write_text(
        "#include <cstdlib>\n"
        "template <class A, class B, class C, class D> struct P {};\n"
        "template <int N, class T> struct Deep {\n"
        "    typedef typename Deep<N - 1, P<T, T, T, T> >::type type;\n};\n"
        "template <class T> struct Deep<0, T> { typedef T type; };\n"
        "namespace deep { template <class T> struct Of {\n"
        "    static __attribute__((noinline)) void make(int n) { free(malloc(n)); puts(n); }\n"
        "    static __attribute__((noinline)) void puts(int n) { __asm__ volatile(\"\"); }\n"
        "}; }\n"
        "int main(int n, char **) { deep::Of<Deep<8, int>::type>::make(n); return 0; }\n"
    )
    call("g++", "-O1", "-g", "-fno-builtin", source, "-o", tmp_path / "deep")
    answer = query(tmp_path / "deep", return_addresses(tmp_path / "deep"))
    names = {line[0] for lines in answer.names.values() for line in lines}
    assert "deep::Of<…>::make" in names, names


# Where else names can be.


@pytest.fixture()
def stripped(tmp_path):
    """(the program without debug information, its debug file, offsets, the whole program)"""
    whole = compiled(tmp_path, "sample.cc", "-O2", "-g", "-Wl,--build-id=sha1", name="whole")
    program = tmp_path / "program"
    debug = tmp_path / "program.debug"
    call("objcopy", "--only-keep-debug", whole, debug)
    call("strip", whole, "-o", program)
    return program, debug, return_addresses(whole), whole


def build_id(path):
    return re.search(r"Build ID: ([0-9a-f]+)", call("readelf", "-n", path))[1]


def put_by_id(folder, path):
    """The file where its build-id leads, below a debug folder."""
    name = build_id(path)
    target = folder / ".build-id" / name[:2] / f"{name[2:]}.debug"
    target.parent.mkdir(parents=True)
    shutil.copy(path, target)
    return target


def test_a_debug_file_is_found_by_build_id(query, stripped, tmp_path):
    program, debug, offsets, whole = stripped
    assert query(program, offsets).module["source"] != "dwarf"
    target = put_by_id(tmp_path / "folder", debug)
    answer = query(program, offsets, f"--debug={tmp_path / 'folder'}")
    assert answer.module["debug"] == str(target)
    assert answer.names == query(whole, offsets).names
    expect_sample(answer)


@pytest.mark.parametrize("place", ["", ".debug", "folder"])
def test_a_debug_file_is_found_by_its_link(place, query, stripped, tmp_path):
    program, debug, offsets, whole = stripped
    call("objcopy", f"--add-gnu-debuglink={debug}", program)
    folder = tmp_path / place
    if place == "folder":
        folder = pathlib.Path(f"{folder}{tmp_path}")
    folder.mkdir(parents=True, exist_ok=True)
    if place:
        debug.rename(folder / debug.name)
    answer = query(program, offsets, f"--debug={tmp_path / 'folder'}")
    assert answer.module["debug"] == str(folder / debug.name)
    assert answer.names == query(whole, offsets).names


def test_a_linked_debug_file_of_another_checksum_is_not_taken(query, stripped):
    program, debug, offsets, _ = stripped
    call("objcopy", f"--add-gnu-debuglink={debug}", program)
    with open(debug, "ab") as opened:
        opened.write(b"x")
    answer = query(program, offsets)
    assert answer.module["debug"] == ""
    assert answer.module["source"] != "dwarf"


def test_below_a_root_everything_is_found_there(query, stripped, tmp_path):
    program, debug, offsets, whole = stripped
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    shutil.copy(program, root / "usr/bin/sample")
    put_by_id(root / "usr/lib/debug", debug)
    answer = query("/usr/bin/sample", offsets, f"--root={root}", f"--build-id={build_id(whole)}")
    assert answer.module["main"] == f"{root}/usr/bin/sample"
    assert answer.names == query(whole, offsets).names


def test_a_program_that_was_rebuilt_has_no_names_and_says_so(query, stripped, tmp_path):
    _, _, offsets, whole = stripped
    recorded = build_id(whole)
    rebuilt = compiled(tmp_path, "sample.cc", "-O1", "-g", "-Wl,--build-id=sha1", name="whole")
    assert build_id(rebuilt) != recorded
    answer = query(rebuilt, offsets, f"--build-id={recorded}")
    assert answer.module["file"] == "differs"
    assert answer.module["source"] == "nothing"
    assert all(not lines for lines in answer.names.values())


def test_of_a_program_that_is_gone_the_debug_file_names_all(query, stripped, tmp_path):
    _, debug, offsets, whole = stripped
    wanted = query(whole, offsets).names
    recorded = build_id(whole)
    target = put_by_id(tmp_path / "folder", debug)
    whole.unlink()
    answer = query(whole, offsets, f"--debug={tmp_path / 'folder'}", f"--build-id={recorded}")
    assert answer.module["file"] == "missing"
    assert answer.module["main"] == str(target)
    assert answer.names == wanted


def test_what_dwz_moved_into_a_supplement_is_found(query, tmp_path):
    if not shutil.which("dwz"):
        pytest.skip("dwz is not installed")
    programs = [
        compiled(tmp_path, "sample.cc", "-O2", "-g", "-gdwarf-4", *more, name=name)
        for name, more in (("one", ()), ("two", ("-DTITLE=\"two\"",)))
    ]
    offsets = return_addresses(programs[0])
    wanted = query(programs[0], offsets).names
    call("dwz", "-m", tmp_path / "shared.debug", "-M", "shared.debug", *programs)
    assert "gnu_debugaltlink" in call("readelf", "-S", "-W", programs[0])
    assert query(programs[0], offsets).names == wanted
    (tmp_path / "shared.debug").rename(tmp_path / "moved")
    answer = query(programs[0], offsets)
    assert answer.module["end"] == "complete", "without the supplement it goes on"


def test_without_its_split_half_the_symbol_table_and_lines_remain(query, tmp_path):
    program = compiled(tmp_path, "sample.cc", "-O2", "-g", "-gsplit-dwarf")
    offsets = return_addresses(program)
    for half in tmp_path.glob("*.dwo"):
        half.unlink()
    answer = query(program, offsets)
    names = {line[0] for lines in answer.names.values() for line in lines}
    assert {"main", "shown(int)"} <= names
    assert any(line[2] > 0 for lines in answer.names.values() for line in lines)


def test_a_small_symbol_table_in_xz_is_read(query, stripped, tmp_path):
    program, _, offsets, whole = stripped
    table = tmp_path / "table"
    call("objcopy", "-S", "--keep-symbol=_Z5showni", whole, table)
    call("objcopy", "--strip-debug", whole, table)
    call("xz", "-k", table)
    call("objcopy", f"--add-section=.gnu_debugdata={table}.xz", program)
    answer = query(program, offsets)
    assert answer.module["source"] == "table"
    names = {line[0] for lines in answer.names.values() for line in lines}
    assert {"main", "shown(int)", "one::Box<int>::get(int)"} <= names


# When elfutils fails.


@pytest.fixture()
def broken_elfutils(tmp_path):
    """An environment in which reading a line table does what the C statement says."""

    def make(statement):
        source = tmp_path / "broken.c"
        source.write_text(
            "#include <stdlib.h>\n#include <unistd.h>\n"
            f"void *dwarf_getsrc_die(void) {{ {statement}; return 0; }}\n"
        )
        call("gcc", "-shared", "-fPIC", source, "-o", tmp_path / "broken.so")
        return {"LD_PRELOAD": str(tmp_path / "broken.so")}

    return make


@pytest.mark.parametrize(
    "statement,end",
    [("abort()", "crashed"), ("*(volatile int *)0 = 0", "crashed"), ("for (;;) pause()", "late")],
)
def test_names_of_the_symbol_table_remain(statement, end, broken_elfutils, query, tmp_path):
    program = compiled(tmp_path, "sample.cc", "-O2", "-g")
    offsets = return_addresses(program)
    env = broken_elfutils(statement)
    answer = query(program, offsets, "--module-seconds=2", env=env)
    assert answer.module["end"] == end
    names = {line[0] for lines in answer.names.values() for line in lines}
    assert {"main", "shown(int)", "one::Box<int>::get(int)"} <= names


# Servers.


class Server(http.server.ThreadingHTTPServer):
    """Has the files of `files` by path; counts what is asked; never answers when `hangs`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.asked = []
        self.hangs = threading.Event()
        self.is_over = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.hangs.is_set():
            self.server.is_over.wait(60)
            return
        content = self.server.files.get(self.path)
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *words):
        pass


@pytest.fixture()
def server():
    served = Server()
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    yield served
    served.is_over.set()
    served.shutdown()
    served.server_close()


@pytest.fixture()
def servers(server, tmp_path):
    """The environment in which that server is asked."""
    if not list(pathlib.Path("/usr/lib").glob("*/libdebuginfod.so.1")):
        pytest.skip("libdebuginfod is not installed")
    return {
        "DEBUGINFOD_URLS": f"http://127.0.0.1:{server.server_address[1]}",
        "DEBUGINFOD_CACHE_PATH": str(tmp_path / "cache"),
    }


def test_a_server_is_asked_for_debug_files_and_programs(query, stripped, server, servers):
    program, debug, offsets, whole = stripped
    name = build_id(whole)
    wanted = query(whole, offsets).names
    server.files[f"/buildid/{name}/debuginfo"] = debug.read_bytes()
    answer = query(program, offsets, env=servers)
    assert answer.module["source"] == "dwarf"
    assert answer.names == wanted
    program.unlink()
    answer = query(program, offsets, f"--build-id={name}", env=servers)
    assert answer.module["file"] == "missing"
    assert answer.names == wanted


def test_a_server_that_has_another_file_is_not_believed(query, stripped, server, servers):
    program, _, offsets, whole = stripped
    other = pathlib.Path("/bin/true").read_bytes()
    server.files[f"/buildid/{build_id(whole)}/debuginfo"] = other
    answer = query(program, offsets, env=servers)
    assert answer.module["debug"] == ""
    assert answer.module["source"] != "dwarf"


@pytest.mark.parametrize("way", ["variable", "option"])
def test_no_server_is_asked_unless_it_is_wanted(way, query, stripped, server, servers):
    program, _, offsets, _ = stripped
    if way == "variable":
        query(program, offsets, env={**servers, "DEBUGINFOD_URLS": " "})
        query(program, offsets, env={"DEBUGINFOD_CACHE_PATH": servers["DEBUGINFOD_CACHE_PATH"]})
    else:
        query(program, offsets, "--no-debuginfod", env=servers)
    assert server.asked == []
    assert not os.path.exists(servers["DEBUGINFOD_CACHE_PATH"])


def test_a_server_that_never_answers_is_given_up(query, stripped, server, servers):
    program, _, offsets, _ = stripped
    server.hangs.set()
    answer = query(program, offsets, "--seconds=2", env=servers)
    assert server.asked
    assert answer.module["end"] == "complete"
    assert answer.module["source"] != "dwarf"
