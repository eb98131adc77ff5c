"""Names in recordings: written when the program has ended; what is shown never changes again."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import call_mete
from recording import unwrapped

SOURCE = """
#include <stdlib.h>
static void *volatile sink;
__attribute__((noinline)) void holder(void) { for (int i = 0; i < 100; i++) sink = malloc(1000); }
int main(void) { holder(); return sink == 0; }
"""


@pytest.fixture(name="program")
def program_with_symbols(tmp_path):
    (tmp_path / "keeps.c").write_text(SOURCE, encoding="utf-8")
    subprocess.run(["cc", "-g", "-O1", "-fno-builtin", "keeps.c", "-o", "keeps"], cwd=tmp_path,
                   check=True)
    return tmp_path / "keeps"


def report(mete, *words, cwd):
    done = call_mete(mete, ["report", *words], cwd=cwd)
    assert done.status == 0, done
    return done.out.decode()


def test_a_report_stays_when_the_program_is_gone(mete, run, program, tmp_path):
    assert run("-o", "a.mete", program).status == 0
    before = report(mete, "--full", "a.mete", cwd=tmp_path)
    assert "holder" in before and "keeps.c:4" in before
    subprocess.run(["strip", program], check=True)
    assert report(mete, "--full", "a.mete", cwd=tmp_path) == before
    program.unlink()
    assert report(mete, "--full", "a.mete", cwd=tmp_path) == before


def test_a_program_is_called_what_it_was_started_as(mete, run, program, tmp_path):
    """By the name that was typed, also where that is a link; in a script by the interpreter's."""
    (tmp_path / "called").symlink_to(program)
    (tmp_path / "script").write_text(f"#!{tmp_path}/called\n", encoding="utf-8")
    (tmp_path / "script").chmod(0o755)
    for command, head in (
        ("./called", "called '*' 'a b' c=d 'it'\\''s' ''"),
        ("./script", "called ./script '*' 'a b' c=d 'it'\\''s' ''"),
    ):
        done = run("-o", "%n.mete", command, "*", "a b", "c=d", "it's", "")
        assert done.err.decode().splitlines()[0] == head, done
        told = json.loads(report(mete, "--json", "called.mete", cwd=tmp_path))["process"]
        assert (told["name"], told["program"]) == ("called", str(program))
        (tmp_path / "called.mete").unlink()


def test_a_program_that_may_not_be_read_says_how_it_gets_names(mete, program, tmp_path):
    """Even root needs a capability for that, which is taken away here."""
    program.chmod(0o111)
    words = [mete, "run", "-o", "a.mete", program]
    if os.geteuid() == 0:
        words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all",
                 *words]
    done = call_mete(words[0], words[1:], cwd=tmp_path)
    assert done.status == 0, done
    said = unwrapped(done.err.decode())
    assert "make keeps readable for 'mete report --embed'" in said, done
    program.chmod(0o755)
    assert call_mete(mete, ["report", "--embed", "a.mete"], cwd=tmp_path).status == 0
    assert "holder" in report(mete, "a.mete", cwd=tmp_path)


def test_a_program_whose_name_would_be_an_assignment_is_quoted(run, program, tmp_path):
    (tmp_path / "a=b").symlink_to(program)
    assert run("./a=b", "c=d").err.decode().splitlines()[0] == "'a=b' c=d"


def test_who_waits_to_write_into_a_fifo_is_left_alone(mete, run, program, tmp_path):
    """What lies beside a recording is looked at, and only opened where it is a file."""
    assert run("-o", "a.mete", program).status == 0
    os.mkfifo(tmp_path / "b.mete")
    with subprocess.Popen(["sh", "-c", "echo kept >b.mete"], cwd=tmp_path) as writer:
        report(mete, "a.mete", cwd=tmp_path)
        assert (tmp_path / "b.mete").read_bytes() == b"kept\n"
        assert writer.wait(timeout=30) == 0


def test_the_next_command_skips_what_was_skipped(mete, run, program, tmp_path):
    done = run("-o", "a.mete", "--skip=hold*", program)
    last = done.err.decode().splitlines()[-1]
    assert last == "next       mete leaks --skip='hold*' a.mete", done
    assert "holder" not in report(mete, "--skip=hold*", "a.mete", cwd=tmp_path)


def test_in_full_the_summary_follows_the_stacks(mete, run, program, tmp_path):
    """What it says is said once."""
    done = run("-o", "a.mete", "--full", program)
    err = done.err.decode()
    for words in (" peak, at ", " left at the end in ", "\nstatus 0 after "):
        assert err.count(words) == 1, done
    stacks = report(mete, "--full", "a.mete", cwd=tmp_path).split("\n\n", 2)[2]
    assert err.startswith(stacks), done


def test_embedding_again_takes_no_names_away(mete, run, program, tmp_path):
    """Protects names from machines that do not have the program, or have another."""
    assert run("-o", "a.mete", program).status == 0
    before = report(mete, "--full", "a.mete", cwd=tmp_path)
    size = (tmp_path / "a.mete").stat().st_size
    assert call_mete(mete, ["report", "--embed", "a.mete"], cwd=tmp_path).status == 0
    assert (tmp_path / "a.mete").stat().st_size == size
    program.unlink()
    assert call_mete(mete, ["report", "--embed", "a.mete"], cwd=tmp_path).status == 0
    assert report(mete, "--full", "a.mete", cwd=tmp_path) == before


def test_processes_of_one_program_share_its_names(mete, run, program, tmp_path):
    """Of two programs at one path, each has its own: what they are is told by the build-id."""
    other = SOURCE.replace("holder", "second_holder").replace("100", "200")
    (tmp_path / "other.c").write_text(other, encoding="utf-8")
    (tmp_path / "all").mkdir()
    script = ("./keeps; ./keeps; mv keeps first; "
              "cc -g -O1 -fno-builtin other.c -o keeps; ./keeps; mv keeps second; mv first keeps")
    assert run("-o", "all/", "sh", "-c", script).status == 0
    found = []
    for path in (tmp_path / "all").glob("keeps.*.mete"):
        text = report(mete, "--full", path, cwd=tmp_path)
        found.append("keeps.c:4" in text and " holder" in text)
        # Rebuilt, it is not at its path any more, and no other's names are taken.
        assert found[-1] or ("holder" not in text and "keeps+0x" in text)
    assert sorted(found) == [False, True, True]


def test_names_may_be_left_out_and_embedded_later(mete, run, program, tmp_path):
    assert run("-o", "a.mete", "--no-symbols", program).status == 0
    assert "holder" not in report(mete, "--full", "a.mete", cwd=tmp_path)
    size = (tmp_path / "a.mete").stat().st_size
    assert call_mete(mete, ["report", "--embed", "a.mete"], cwd=tmp_path).status == 0
    assert (tmp_path / "a.mete").stat().st_size > size
    assert "holder" in report(mete, "--full", "a.mete", cwd=tmp_path)


def test_another_build_of_the_program_gives_no_wrong_names(mete, run, program, tmp_path):
    assert run("-o", "a.mete", "--no-symbols", program).status == 0
    other = SOURCE.replace("holder", "wrong").replace("static", "static int more[99]; static")
    (tmp_path / "keeps.c").write_text(other, encoding="utf-8")
    subprocess.run(["cc", "-g", "-O1", "-fno-builtin", "keeps.c", "-o", "keeps"], cwd=tmp_path,
                   check=True)
    done = call_mete(mete, ["report", "--embed", "a.mete"], cwd=tmp_path)
    assert done.status == 0 and done.said() == [
        "mete: report: not all frames of 'a.mete' could be named"]
    assert b"put keeps back for 'mete report --embed'" in done.err and b"-g" not in done.err
    text = report(mete, "--full", "a.mete", cwd=tmp_path)
    assert "wrong" not in text and "keeps+0x" in text


def test_embedding_says_what_is_gone(mete, run, program, tmp_path):
    assert run("-o", "a.mete", "--no-symbols", program).status == 0
    program.unlink()
    done = call_mete(mete, ["report", "--embed", "a.mete"], cwd=tmp_path)
    assert done.status == 0
    assert b"put keeps back for 'mete report --embed'" in done.err, done


def test_embed_says_what_it_wants(mete, tmp_path):
    done = call_mete(mete, ["report", "--embed"], cwd=tmp_path)
    assert (done.status, done.said()) == (2, ["mete: report: --embed wants the FILE to write into"])
    (tmp_path / "notes").write_text("precious", encoding="utf-8")
    done = call_mete(mete, ["report", "--embed", "notes"], cwd=tmp_path)
    assert done.status == 125 and "it cannot be read as a recording" in done.said()[0]
    assert (tmp_path / "notes").read_text(encoding="utf-8") == "precious"


def test_a_recording_that_was_cut_off_is_not_made_to_look_whole(mete, run, program, tmp_path):
    assert run("-o", "a.mete", program).status == 0
    whole = (tmp_path / "a.mete").read_bytes()
    for size, words in ((len(whole) - 1, "it is cut off or damaged, which that would hide"),
                        (16384, "it is cut off or damaged, which that would hide"),
                        (16383, "it cannot be read as a recording"),
                        (0, "it cannot be read as a recording")):
        (tmp_path / "a.mete").write_bytes(whole[:size])
        done = call_mete(mete, ["report", "--embed", "a.mete"], cwd=tmp_path)
        assert (done.status, done.said()) == (
            125, [f"mete: report: cannot write names into 'a.mete': {words}"]), size
        assert (tmp_path / "a.mete").read_bytes() == whole[:size]
        if size < 16384:
            continue
        done = call_mete(mete, ["report", "a.mete"], cwd=tmp_path)
        said = f"The recording is cut off: {size} bytes of {len(whole)}."
        assert done.status == 0 and said in done.out.decode(), done


def test_the_json_of_a_run_adds_up(mete, run, program, tmp_path):
    assert run("-o", "a.mete", program).status == 0
    answer = json.loads(report(mete, "--json", "a.mete", cwd=tmp_path))
    totals = answer["totals"]
    for key in ("allocations", "bytes_allocated", "live_blocks", "live_bytes", "temporary"):
        assert sum(site[key] for site in answer["sites"]) == totals[key], key
    (site,) = [site for site in answer["sites"]
               if any(frame["function"] == "holder" for frame in site["frames"])]
    assert (site["allocations"], site["bytes_allocated"], site["live_blocks"]) == (100, 100000, 100)
    assert site["at_peak_bytes"] == site["peak_bytes"] == 100000
    assert site["frames"][site["owner"]]["function"] == "holder"
    assert answer["process"]["status"] == 0 and answer["schema"] == 1


def test_the_mend_names_the_package_that_has_the_file(run):
    """Debian's ls has no symbols; the package is called otherwise."""
    if not shutil.which("dpkg-query"):
        pytest.skip("this is no Debian")
    done = run("-o", "a.mete", "/bin/ls", "/")
    owner = subprocess.run(["dpkg-query", "-S", "*/bin/ls"], capture_output=True, text=True,
                           check=True).stdout.partition(":")[0]
    assert f"\n  mend: install {owner}-dbgsym or set DEBUGINFOD_URLS\n".encode() in done.err, done
