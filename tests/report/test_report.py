"""`mete report` from outside: its words for recordings of every kind, and its status."""

import json
import os
import pty
import re
import shlex
import shutil
import subprocess

import pytest

from conftest import UTF8

SERVER = """\
tableserver --rows=100000 '--name=two words'
status 0 after 12.4 s, pid 4242

    734 MiB  peak, at 7.21 s in 1,604,331 blocks
   29.0 MiB  left at the end in 58,431 blocks
    862 MiB  allocated in 3,029,431 allocations, 244 k a second, 56 % temporary
   11.5 MiB  added by rounding at the peak, 2 %

    811 MiB │                      ▁▂▂▃▄▄▅▆▆▇▇▇▇██████▇▆▅▄▃▁
            │             ▁▂▃▃▅▆▇▇███████████████████████████▇▆▅▄▃▂▁
            │      ▁▂▃▄▅▆████████████████████████████████████████████▇▅▅▄▃▂
            │▃▃▃▅▆▇█████████████████████████████████████████████████████████▇▆▅
             0 s                           6.20 s                        12.4 s

Who held the peak
    690 MiB   94 %  tables::…::Loader<>::load_rows                loader.cpp:120
    600 MiB          ← tables::serve ← main
   90.0 MiB          ← tables::Cache::keep ← main
   31.0 MiB    4 %  tables::parse_field                               field.h:31
                     ← tables::parse_row ← tables::…::Loader<>::load_rows ← …
   11.0 MiB    1 %  tables::Cache::keep                              cache.cpp:9
                     ← main
   2.86 MiB   <1 %  libicu72.so.1+0x1234

Who allocated most often
  1,500,000   50 %  tables::parse_field                               field.h:31
  1,209,331   40 %  tables::…::Loader<>::load_rows                loader.cpp:120
    260,000    9 %  tables::…::append_reply_header     response_builder.cpp:1207
     60,000    2 %  tables::Cache::keep                              cache.cpp:9

Who allocated for a moment: freed by the thread's next call
  1,430,000   85 %  tables::parse_field                               field.h:31
    260,000   15 %  tables::…::append_reply_header     response_builder.cpp:1207

1 of 11 frames has no name: libicu72.so.1 (1)
  mend: install debug symbols for libicu72.so.1 or set DEBUGINFOD_URLS
Not counted: 12 events: busy

recording  server.mete  23.9 KiB
next       mete report --full server.mete
"""


def test_the_summary_of_a_program(report):
    assert report("server.mete") == (0, SERVER, "")


def test_a_graph_of_few_points_has_no_gaps(report):
    lines = report("short.mete")[1].splitlines()
    (top,) = [line for line in lines if line.startswith("     1000 B │")]
    assert top == "     1000 B │" + 66 * "█"


def test_a_package_is_not_guessed(report):
    """Perl is in perl-base, ls in coreutils; short is in none."""
    out = report("short.mete")[1]
    assert "\n1 of 2 frames has no name: short (1)\n" in out
    assert "\n  mend: install debug symbols for short or set DEBUGINFOD_URLS\n" in out


def test_without_utf8_the_summary_is_ascii(report):
    out = report("server.mete", env={})[1]
    assert out.isascii()
    assert "   94 %  tables::..::Loader<>::load_rows               loader.cpp:120\n" in out
    assert "    600 MiB          <- tables::serve <- main\n" in out
    assert "            |...::||||||||" in out


@pytest.mark.parametrize(
    "key", ["", "peak", "live", "bytes", "allocations", "temporary", "wasted", "left"]
)
@pytest.mark.parametrize("exact", ["--exact", "--no-exact"])
def test_no_summary_exceeds_its_page(report, samples, key, exact):
    words = [exact] + ([f"--sort={key}"] if key else [])
    for path in sorted(samples.glob("*.mete")):
        if path.name in ("garbled.mete", "huge.mete"):  # their numbers no column holds
            continue
        for env in (UTF8, {}):
            status, out, _ = report(path.name, env=env)
            if status != 0:
                continue
            out = report(*words, path.name, env=env)[1]
            assert out.count("\n") <= 40
            assert max(map(len, out.splitlines())) <= 80, out
            assert not re.search(r" $", out, re.MULTILINE)


def test_a_terminal_gets_colour_unless_it_does_not_want_it(mete, samples):
    def on_terminal(**env):
        master, slave = pty.openpty()
        child = subprocess.Popen(
            [mete, "report", "server.mete"], cwd=samples, stdout=slave, env={**UTF8, **env}
        )
        os.close(slave)
        out = b""
        while True:
            try:
                more = os.read(master, 4096)
            except OSError:
                break
            if not more:
                break
            out += more
        os.close(master)
        assert child.wait(timeout=60) == 0
        return out.replace(b"\r\n", b"\n").decode()

    coloured = on_terminal(TERM="xterm")
    assert "\033[1mtableserver\033[0m" in coloured
    assert re.sub(r"\033\[\d+m", "", coloured) == SERVER
    for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
        assert on_terminal(**env) == SERVER


def test_one_ranking_alone(report):
    out = report("--sort=temporary", "--exact", "server.mete")[1]
    assert "Who held the peak" not in out
    assert """
Who allocated for a moment: freed by the thread's next call
        1,430,000   85 %  tables::parse_field                         field.h:31
""" in out


def test_all_stacks_in_full(report):
    status, out, err = report("--full", "--sort=allocations", "server.mete")
    assert (status, err) == (0, "")
    assert out.split("\n\n")[2] == """\
  1,500,000   50 %  tables::parse_field
  site 2: 31.0 MiB at the peak, 0 B left, 34.3 MiB in 1,500,000 allocations, 1,430,000 temporary
      malloc  libc.so.6
    > tables::parse_field(char const*) (inlined)  /src/tables/field.h:31
      tables::parse_row(char const*)  /src/tables/loader.cpp:88
      tables::(anonymous namespace)::Loader<tables::Row>::load_rows(std::istream&)\
  /src/tables/loader.cpp:120
      tables::serve(int)  /src/tables/serve.cpp:77
      main  /src/main.cpp:20
      __libc_start_main  libc.so.6"""


def test_one_site(report):
    out = report("--site", "0", "threads.mete")[1]
    assert out == """\
site 0 of 1 in threads.mete
    > work  work.c:5
      run  work.c:30

  at the peak    31.2 KiB in 1,000 blocks, 0 B added by rounding
  its own peak   at least 31.2 KiB
  left           31.2 KiB in 1,000 blocks
  allocated      312 KiB in 10,000 allocations, 0 temporary
  seen           from 0 ms to 0 ms
  threads        worker 0 77, worker 1 78, worker 2 79, worker 3 80 (4)
  sizes          from 32 B to 32 B
                 up to 32 B: 10,000
"""


def test_filter_and_skip(report):
    out = report("--filter=tables::serve", "--sort=allocations", "server.mete")[1]
    assert "tables::…::append_reply_header" in out and "libicu72.so.1+0x1234" not in out
    assert "The filter leaves 3 of 6 call sites.\n" in out
    out = report("--skip=*::Loader<>::*", "--skip=tables::parse*", "server.mete")[1]
    assert "631 MiB   86 %  tables::serve" in out
    assert "load_rows" not in out


@pytest.mark.parametrize("words,wanted", [
    ([], "--full"),
    (["--sort=bytes", "--exact"], "--full --sort=bytes --exact"),
    (["--filter=tables::*", "--skip=it's", "--skip=b"],
     r"--full --filter='tables::*' --skip='it'\''s' --skip=b"),
    (["--sort=left", "--filter=main"], "--full --sort=left --filter=main"),
])
def test_the_next_command_asks_on(report, words, wanted):
    """What was filtered stays filtered; and the command is one that works."""
    last = report(*words, "server.mete")[1].splitlines()[-1]
    assert last == f"next       mete report {wanted} server.mete"
    again = shlex.split(last)[3:]
    status, out, err = report(*again)
    assert (status, err) == (0, "") and out
    if "--sort=left" not in words:
        assert out == report("--full", *words, "server.mete")[1]


@pytest.mark.parametrize("form", [[], ["--full"]])
@pytest.mark.parametrize(
    "key,pattern,why",
    [
        # Replies are temporary: none of them was there at the peak.
        ("wasted", "*append_reply_header*", "each call site that the filter leaves has 0"),
        ("wasted", "no such function", "the filter leaves no call site"),
        ("wasted", None, "each call site has 0"),
    ],
)
def test_a_ranking_without_rows_says_why(report, form, key, pattern, why):
    words = [f"--filter={pattern}", "server.mete"] if pattern else ["threads.mete"]
    out = report(*form, f"--sort={key}", *words)[1]
    assert f"\nNothing to rank by {key}: {why}.\n\n" in out
    assert "Nothing to rank" not in report(*form, "--sort=bytes", "threads.mete")[1]


def test_one_is_no_plural(report):
    """All counts of this recording are one."""
    for form in ([], ["--full"], ["--site=0"]):
        out = report(*form, "hostile.mete")[1]
        assert re.search(r" in 1 (block|allocation)\b", out)
        assert not re.search(r"\b1 (blocks|allocations|steps|events|places|threads)\b", out), out
    assert "of 1 call site.\n" in report("--filter=none", "hostile.mete")[1]


def test_folded_stacks(report):
    out = report("--folded=peak", "server.mete")[1]
    lines = out.splitlines()
    assert len(lines) == 5  # nothing of the replies was live
    assert "libicu72.so.1+0x1234;malloc 3000000" in lines
    assert lines[3] == (
        "__libc_start_main;main;tables::Cache::keep(tables::Row const&);"
        "operator new(unsigned long) 11534336"
    )


def test_folded_stacks_that_are_none_are_told(report):
    """An empty file makes an empty picture, and nobody knows why."""
    assert report("--folded=peak", "--filter=nobody", "server.mete") == (
        0, "", "mete: report: '--folded=peak': each stack that the filter leaves has 0\n"
    )
    assert report("--folded=temporary", "threads.mete") == (
        0, "", "mete: report: '--folded=temporary': each stack has 0\n"
    )


def test_folded_stacks_of_a_tree_have_a_root_each(report):
    out = report("--folded=allocations", "child0.mete", "child1.mete")[1]
    assert out == "child0;(no stack) 100\nchild1;(no stack) 200\n"


def test_a_recording_is_not_its_own_child(report):
    for other in ("server.mete", "./server.mete"):
        status, out, err = report("server.mete", "child1.mete", other)
        assert (status, out) == (2, "")
        assert err == f"mete: report: '{other}' is named twice\n"


def test_text_from_outside_is_harmless(report):
    out = report("hostile.mete")[1]
    assert out.startswith("$'\\033[31mred\\377'\nkilled by SIGSEGV after 0 ms"), out
    assert "读取;表格??" in out
    told = json.loads(report("--json", "hostile.mete")[1])
    assert told["process"]["program"] == "/bin/\033[31mred\ufffd"
    assert told["process"]["status"] == 139 and told["process"]["signal"] == 11
    assert told["sites"][0]["frames"][0]["function"] == "读取;表格\n\ufffd"


def test_a_folded_stack_is_one_line(mete, samples):
    done = subprocess.run([mete, "report", "--folded=live", "hostile.mete"], cwd=samples,
                          stdout=subprocess.PIPE, check=True, timeout=60)
    assert done.stdout == "读取:表格?? 1000\n".encode()


def test_children_have_a_line_each_and_ten_at_most(report):
    names = [f"child{i}.mete" for i in range(13)]
    out = report(*names)[1]
    assert """
       peak       left   allocations  Children
   97.7 KiB   97.7 KiB           200  child1 5001               ended or running
    195 KiB    195 KiB           300  child2 5002              killed by SIGKILL
    293 KiB    293 KiB           400  child3 5003                       status 3
""" in out
    assert "child9 5009" in out and "child10" not in out
    assert "                                      and 3 more\n" in out
    assert "Children" not in report("--no-children", *names)[1]
    assert len(json.loads(report("--json", *names)[1])["children"]) == 12


@pytest.mark.parametrize(
    "name,why",
    [
        ("missing.mete", "No such file or directory"),
        (".", "is a directory"),
        ("/dev/null", "is no regular file"),
        ("nothing.mete", "empty"),
        ("foreign.mete", "not a mete recording"),
        ("text.mete", "a mete recording that was changed on its way here (copied as text?)"),
        ("newer.mete", "made by a newer mete (version 3; this one reads 1)"),
        ("stump.mete", "cut off: 1000 bytes of at least 16384"),
        ("damaged.mete", "damaged: it contradicts itself about the size of a table's rows"),
    ],
)
@pytest.mark.parametrize("words", [[], ["--json"], ["server.mete"]])
def test_what_cannot_be_read_is_said(report, name, why, words):
    assert report(*words, name) == (125, "", f"mete: report: {name}: {why}\n")


def test_what_was_cut_off_is_read_as_far_as_it_goes(report):
    status, out, err = report("cut.mete")
    assert (status, err) == (0, "")
    lines = out.splitlines()[2:]
    assert re.fullmatch(r"The recording is cut off: \d+ bytes of \d+\.", lines[0])
    assert lines[lines.index("") - 1] == "What follows is of what is left of it."
    told = json.loads(report("--json", "cut.mete")[1])
    assert told["missing_bytes"] > 0
    assert f"contradicts itself in {told['contradictions']} places" in lines[1]
    assert "allocated in 1,200,331 allocations" in out  # one row is left
    # Where there is no place for it, it stands beside the rest.
    for words in (["--site=0", "cut.mete"], ["--folded=bytes", "cut.mete"],
                  ["server.mete", "cut.mete"]):
        status, out, err = report(*words)
        cut, wrong = err.splitlines()
        assert status == 0 and out
        begin = "mete: report: cut.mete: the recording "
        assert re.fullmatch(begin + r"is cut off: \d+ bytes of \d+", cut)
        assert wrong.startswith(begin + "contradicts itself in ")


@pytest.mark.parametrize("name", ["huge.mete", "garbled.mete", "unnamed.mete"])
@pytest.mark.parametrize("form", [[], ["--full"], ["--json"], ["--folded=bytes"], ["--site=0"]])
def test_damage_behind_the_header_is_survived(report, name, form):
    status, out, err = report(*form, name)
    expected = ""
    if name != "unnamed.mete" and form in (["--folded=bytes"], ["--site=0"]):
        cut = rf"mete: report: {name}: the recording is cut off: \d+ bytes of \d+\n"
        expected = rf"mete: report: {name}: the recording contradicts itself in \d+ places\n"
        expected = (cut if name == "huge.mete" else "") + expected
    # Of garbled figures none need be above zero.
    if form == ["--folded=bytes"] and out == "":
        expected += "mete: report: '--folded=bytes': each stack has 0\n"
    assert status == 0 and re.fullmatch(expected, err), err
    if form == ["--json"]:
        json.loads(out)


def test_without_names_there_are_offsets(report):
    out = report("unnamed.mete")[1]
    assert "    690 MiB   94 %  tableserver+0x300\n" in out
    assert "No names were looked up: the recording has module+offset alone.\n" in out
    assert out.splitlines()[1] == (
        "ended without a word or still runs; last heard of at 12.4 s, pid 4242")


@pytest.mark.parametrize(
    "words,message",
    [
        (["--sort=size"],
         "'--sort=size': the keys are peak, live, bytes, allocations, temporary, wasted, left and"
         " lost"),
        (["--folded=wasted"],
         "'--folded=wasted': the keys are peak, live, bytes, allocations and temporary"),
        (["server.mete", "--json"], "'--json': options stand before FILE"),
        (["--site=x"], "'--site=x': wants a site's number, such as those that --full prints"),
        (["--site=-1"], "'--site=-1': wants a site's number, such as those that --full prints"),
        (["--site=6", "server.mete"], "server.mete has no site 6; it has 6, from 0"),
        (["--json", "--full"], "choose one of --full, --site, --folded, --json and --embed"),
        (["--skp=x"], "unknown option '--skp'; did you mean '--skip'?"),
        (["--skip=x"] * 65, "more than 64 times --skip"),
    ],
)
def test_wrong_usage(report, words, message):
    assert report(*words) == (2, "", f"mete: report: {message}\n")


def test_the_newest_recording_here_is_the_default(report, samples, tmp_path):
    assert report(cwd=tmp_path) == (
        125, "", "mete: report: there is no recording (*.mete) here; name one\n"
    )
    for i, name in enumerate(["server.mete", "threads.mete", "child0.mete"]):
        shutil.copy(samples / name, tmp_path)
        os.utime(tmp_path / name, (1000 - i, 1000 - i))
    (tmp_path / "folder.mete").mkdir()
    status, out, err = report(cwd=tmp_path)
    assert (status, out) == (0, SERVER)
    assert err == "mete: report: server.mete, the newest here\n"


def test_the_foot_can_be_typed(report, samples, tmp_path, mete):
    path = tmp_path / "two 'words'.mete"
    shutil.copy(samples / "server.mete", path)
    out = report(path.name, cwd=tmp_path)[1]
    command = out.splitlines()[-1].split(None, 1)[1]
    assert command == "mete report --full 'two '\\''words'\\''.mete'"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, stdout=subprocess.PIPE, timeout=60,
                          check=True, env={**os.environ, "PATH": f"{mete.parent}:/usr/bin:/bin"})
    assert b"tableserver" in done.stdout


@pytest.mark.parametrize("env", [UTF8, {}])
@pytest.mark.parametrize("name", [
    b"new\nline", b"tab\tit's", b"caf\xc3\xa9", b"\xe9t\xe9 1", b"\x1b[31mred", b"back\\\n",
    b"-o\n", b"$(x)\r`y`", b"\xe2\x80\x8b", b"\x7f7",
])
def test_the_foot_can_be_typed_whatever_the_name(samples, tmp_path, mete, name, env):
    """In bash, which knows $'…'; and on the way to it the terminal gets no commands."""
    shutil.copy(samples / "server.mete", os.path.join(os.fsencode(tmp_path), name))
    done = subprocess.run([mete, "report", b"./" + name], cwd=tmp_path, stdout=subprocess.PIPE,
                          check=True, timeout=60, env={"PATH": "/usr/bin:/bin", **env})
    *_, recording, following = done.stdout.splitlines()
    command = following.split(None, 1)[1]
    assert all(byte >= 0x20 for byte in recording + following)
    again = subprocess.run(["bash", "-c", command], cwd=tmp_path, stdout=subprocess.PIPE,
                           timeout=60, check=True,
                           env={**os.environ, "PATH": f"{mete.parent}:/usr/bin:/bin"})
    assert b"tableserver" in again.stdout


def test_what_cannot_be_written_is_a_failure(mete, samples):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([mete, "report", "--json", "server.mete"], cwd=samples, stdout=full,
                              stderr=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == 125
    assert done.stderr == b"mete: cannot write to standard output: No space left on device\n"


def test_the_documented_wrappers_are_those_of_the_table(source):
    code = (source / "src" / "profile" / "wrappers.c").read_text(encoding="utf-8")
    code = re.sub(r'OF_RUST\("(.*?)"\)', r'"<\1 as core::*", "<\1 as std::*"', code)
    tables = re.findall(r"const char \*const \w+\[\] = \{(.*?)NULL", code, re.DOTALL)
    patterns = {word for table in tables for word in re.findall(r'"([^"]+)"', table)}
    listed = re.findall(r"`([^`]+)`", (source / "docs" / "rows.md").read_text(encoding="utf-8"))
    assert not patterns - set(listed), sorted(patterns - set(listed))
