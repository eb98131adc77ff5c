"""What lies in memory while a run goes on, and what is left there when its mete was killed."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from conftest import call_mete, clean_environment, default_signals
from recording import unwrapped

MAGIC = b"mete\r\n\032\n"


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def is_mapped(path):
    """Whether a process has the file mapped."""
    for maps in pathlib.Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            if str(path) in maps.read_text(encoding="utf-8", errors="replace"):
                return True
    return False


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- while it goes on


def test_a_recording_of_what_still_runs_says_so(mete, tmp_path):
    """In its place, and as a copy of it; and no longer when it was killed."""
    running = subprocess.Popen(
        [mete, "run", sys.executable, "-c", "print(1, flush=True); input()"], cwd=tmp_path,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=clean_environment(), preexec_fn=default_signals,
    )
    try:
        assert running.stdout.readline() == b"1\n"
        children = f"/proc/{running.pid}/task/{running.pid}/children"
        pid = int(pathlib.Path(children).read_text(encoding="utf-8").split()[0])
        maps = pathlib.Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
        live = re.search(rf"/\S*/\.mete-\w+/{pid}\.1\.mete", maps).group()
        copy = tmp_path / "copy.mete"
        shutil.copy(live, copy)

        def ending(path, words=("report",)):
            out = call_mete(mete, [*words, path]).out.decode()
            return out.splitlines()[1]

        # The time that goes by while it waits counts, too.
        told = json.loads(call_mete(mete, ["report", "--json", live]).out)["process"]
        before = told["duration_ms"]
        wait_until(lambda: json.loads(call_mete(mete, ["report", "--json", live]).out)["process"]
                   ["duration_ms"] > before + 20)
        for path in (live, copy):
            assert re.fullmatch(rf"still running after [\d.]+ m?s, pid {pid}", ending(path))
            told = json.loads(call_mete(mete, ["report", "--json", path]).out)
            assert told["process"]["is_running"] and not told["process"]["is_over"]
            # What it holds while it rests is shown up to now.
            last = told["timeline"][-1]
            assert last["time_ms"] == told["process"]["duration_ms"] and last["live_bytes"] > 0
        # Named anew it would be another file, and what comes would be lost.
        inode = os.stat(live).st_ino
        done = call_mete(mete, ["report", "--embed", live])
        assert (done.status, done.said()) == (125, [
            f"mete: report: cannot write names into '{live}': its process still writes it; "
            "wait until that has ended"])
        assert os.stat(live).st_ino == inode
        assert call_mete(mete, ["report", "--embed", copy]).status == 0  # nobody writes to that
        os.kill(pid, signal.SIGKILL)
        err = running.communicate(timeout=30)[1].decode()
        assert "\nkilled by SIGKILL after " in err
        assert re.match("ended without a word or still runs; last heard of at .* "
                        rf"pid {pid}$", ending(copy))
    finally:
        running.kill()


def test_a_child_that_was_killed_is_told_from_one_that_runs(run, tmp_path):
    # Without a program that would fill the table of children.
    start = (">&- 2>&- <&- & echo $!; while read -r name </proc/$!/comm; do "
             "case $name in sleep|ready) break;; esac; done; sleep 0.3")
    perl = "perl -e '$x = \"a\" x 5000000; $0 = \"ready\"; sleep 60'"
    done = run("sh", "-c", f"{perl} {start}; sleep 60 {start}; kill -KILL $!")
    running, killed = map(int, done.out.split())
    try:
        assert re.search(rf"sleep {killed} +ended or killed$", done.err.decode(), re.M), done
        # It is the largest, so it comes first.
        assert re.search(rf"^still running after .* pid {running}\b", done.err.decode(), re.M), done
    finally:
        os.kill(running, signal.SIGKILL)


def test_children_that_have_ended_do_not_fill_the_memory(run, tmp_path):
    """Protects fork storms: little lies in memory while they go on, and nothing is lost."""
    script = """
    d=${METE#*recording=}; d=${d%/*}; i=0
    while [ $i -lt 300 ]; do
        perl -e 1; i=$((i+1)); echo $(du -sk "$d")
    done
    exec sh -c 'sleep 0.3; exec sleep 0'
    """
    (tmp_path / "all").mkdir()
    done = run("-o", "all/", "--no-symbols", "sh", "-c", script)
    assert done.status == 0, done
    kilobytes = [int(line.split()[0]) for line in done.out.splitlines()]
    assert len(kilobytes) == 300
    made = sum(path.stat().st_blocks // 2 for path in (tmp_path / "all").iterdir())
    assert made > 4 * 12 * 1024, "these children leave too little to show anything"
    assert max(kilobytes) < 12 * 1024
    found = [path.name for path in (tmp_path / "all").glob("perl.*.mete")]
    assert len(found) == 300
    assert not list((tmp_path / "all").glob(".mete*"))
    # What a process was before it became another is told from it, though it went to the disk first.
    (last,) = (tmp_path / "all").glob("sleep.*.3.mete")
    pid = last.name.split(".")[1]
    assert len(list((tmp_path / "all").glob(f"*.{pid}.*mete"))) == 3
    assert re.search(rb"^ +and \d{3} more$", done.err, re.M), done


def test_children_that_nobody_wants_are_not_gathered(run, tmp_path):
    """Only the largest that has ended may yet be the main program."""
    script = """
    d=${METE#*recording=}; d=${d%/*}
    perl -e '$x = "x" x 3000000'
    i=0; while [ $i -lt 100 ]; do perl -e 1; i=$((i+1)); done
    sleep 0.3; du -sk "$d"
    """
    done = run("-o", "a.mete", "--children=no", "sh", "-c", script)
    assert done.status == 0, done
    assert int(done.out.split()[0]) < 2 * 1024
    assert [path.name for path in tmp_path.iterdir()] == ["a.mete"]
    assert unwrapped(done.err.decode()).splitlines()[1].startswith("perl -e '$x = "), done


# --- what is left


class Abandoned:
    """A `mete run` that was killed while its program runs; and its place in memory."""

    def __init__(self, mete, words, script, cwd, memory):
        self.env = {"XDG_RUNTIME_DIR": memory}
        self.memory = memory
        self.mete = subprocess.Popen(
            [mete, "run", *words, "sh", "-c", script], cwd=cwd, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(**self.env),
            preexec_fn=default_signals,
        )
        self.pid = int(self.mete.stdout.readline())
        self.folder = only_folder(self.memory)

    def kill_mete(self):
        self.mete.kill()
        self.mete.wait(timeout=30)

    def kill_program(self):
        os.kill(self.pid, signal.SIGKILL)
        stat = pathlib.Path(f"/proc/{self.pid}/stat")

        def has_ended():
            try:
                return " Z " in stat.read_text(encoding="utf-8")
            except (FileNotFoundError, ProcessLookupError):
                return True

        wait_until(has_ended)


def only_folder(memory):
    (folder,) = memory.glob(".mete-*")
    return folder


@pytest.fixture(name="abandon")
def abandon_a_run(fake_mete, memory, tmp_path):
    """abandon(word, …, script=, cwd=) → Abandoned; nothing of it stays."""
    made = []

    def begin(*words, script="echo $$; read line", cwd=tmp_path):
        made.append(Abandoned(fake_mete, words, script, cwd, memory))
        return made[-1]

    yield begin
    for one in made:
        one.mete.kill()
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
        one.mete.communicate()


def test_what_a_killed_mete_left_is_finished_by_the_next(abandon, fake_mete, tmp_path):
    there = tmp_path / "100%"
    here = tmp_path / "here"
    there.mkdir()
    here.mkdir()
    killed = abandon("-o", "kept.mete", cwd=there)
    killed.kill_mete()
    # The program goes on recording there, and nobody has a word to say about it.
    done = call_mete(fake_mete, ["run", "-o", "a.mete", "true"], cwd=here, env=killed.env)
    assert done.said() == [] and killed.folder.exists() and names(there) == []
    killed.kill_program()
    # A later recording took the name meanwhile; it stays.
    call_mete(fake_mete, ["run", "-o", "kept.mete", "true"], cwd=there)
    newer = (there / "kept.mete").read_bytes()
    done = call_mete(fake_mete, ["run", "-o", "a.mete", "true"], cwd=here, env=killed.env)
    assert done.status == 0
    assert done.said() == [
        f"mete: run: an earlier run left a recording, which is now '{there}/kept.2.mete'"
    ]
    assert not killed.folder.exists() and names(here) == ["a.mete"]
    assert names(there) == ["kept.2.mete", "kept.mete"]
    assert (there / "kept.mete").read_bytes() == newer


def test_what_ended_before_its_mete_was_killed_is_told_in_one_line(abandon, fake_mete, tmp_path):
    (tmp_path / "all").mkdir()
    killed = abandon("-o", "all/", script="sleep 0; sleep 0; echo $$; exec sleep 60",
                     cwd=tmp_path)
    wait_until(lambda: len(list(killed.folder.glob("*.mete"))) == 4)
    killed.kill_mete()
    done = call_mete(fake_mete, ["run", "-o", "a.mete", "true"], cwd=tmp_path, env=killed.env)
    (line,) = done.said()
    assert re.fullmatch(rf"mete: run: an earlier run left 3 recordings, which are now '{tmp_path}/"
                        r"all/\w+\.\d+\.mete' and beside it", line)
    assert {path.name for path in killed.folder.iterdir()} == {f"{killed.pid}.2.mete", "target"}
    assert len(list((tmp_path / "all").iterdir())) == 3


def test_a_static_program_that_goes_on_would_not_record(run, compile_words):
    """It has our settings in its environment, but not us."""
    program = compile_words("idle-static", "#include <unistd.h>\nint main(void) { sleep(3); }\n",
                            ["-static"])
    done = run("sh", "-c", f"{program} >&- 2>&- <&- & sleep 0.3")
    assert not any("would record in" in line for line in done.said()), done


IDLE = """
#include <stdlib.h>
#include <unistd.h>
int main(void)
{
    char *volatile kept = malloc(1000);
    if (fork() == 0) {
        char byte;
        close(1);
        close(2);
        if (read(0, &byte, 1) == 1) {
            char *volatile late = malloc(12345);
            late[0] = byte;
        }
        _exit(0);
    }
    return !kept;
}
"""


@pytest.mark.parametrize("children", ["yes", "no"])
def test_a_forked_child_that_allocates_only_later_is_named_and_records(
        mete, run, compile_words, memory, tmp_path, children):
    """The folder stays for it; the next run takes what it left, unless nobody wants it."""
    ours, its = os.pipe()
    done = run(f"--children={children}", compile_words("idle", IDLE), stdin=ours)
    os.close(ours)
    found = re.findall(r"idle \(pid (\d+)\) still runs and has allocated nothing yet",
                       " ".join(done.said()))
    assert len(found) == (children == "yes"), done
    # What it may yet need is left to it by every other run.
    assert run("-o", "other.mete", "true").said() == []
    folder = only_folder(memory)
    os.write(its, b"x")
    os.close(its)
    wait_until(lambda: [1 for file in folder.glob("*.mete")
                        if not is_mapped(file)])
    done = run("-o", "other.mete", "true")
    assert not list(memory.iterdir())
    late = sorted(tmp_path.glob("idle.*.mete"))
    assert len(late) == (2 if children == "yes" else 1)
    if children == "yes":
        (child,) = [path for path in late if found[0] in path.name]
        assert f"an earlier run left a recording, which is now '{child}'" in done.said()[0]
        told = json.loads(call_mete(mete, ["report", "--json", child]).out)["totals"]
        assert (told["allocations"], told["bytes_allocated"]) == (2, 13345)
        assert (told["inherited"], told["inherited_bytes"]) == (1, 1000)
        # What it did itself is what people are told.
        out = call_mete(mete, ["report", "--exact", child]).out.decode()
        assert re.search(r"12,345 +allocated in 1 allocation\b", out), out


def test_what_begins_as_its_command_ends_is_no_shortfall(run, tmp_path):
    """The loader takes some milliseconds in which nothing is recorded yet."""
    script = ("import subprocess, os; n = subprocess.DEVNULL; subprocess.Popen(['perl', '-e', "
              "'sleep 1'], stdin=n, stdout=n, stderr=open('said', 'a')); os._exit(0)")
    for _ in range(5):
        done = run("/usr/bin/python3", "-c", script)
        assert done.status == 0, done
        assert not re.search("not everything was seen|is not empty", " ".join(done.said())), done
    wait_until(lambda: not any(map(is_mapped, tmp_path.glob("*.mete"))))
    assert (tmp_path / "said").read_text(encoding="utf-8") == ""


def test_within_a_run_a_process_is_the_inner_ones(run, mete, memory, tmp_path):
    """METE names both places, of which the last holds."""
    (tmp_path / "inner").mkdir()
    inner = (f"{mete} run -o inner/ --summary=inner/summary sh -c "
             "'perl -e \"sleep 60\" >&- 2>&- <&- & echo $!; sleep 0.3'")
    done = run("sh", "-c", inner)
    pid = int(done.out)
    try:
        told = [line for line in done.said() if "still runs" in line]
        assert len(told) == 1 and f"perl (pid {pid}) still runs and goes on" in told[0], done
        only_folder(memory)  # the inner one's: the outer's is gone
    finally:
        os.kill(pid, signal.SIGKILL)


def test_two_folders_of_one_run_are_one_run(mete, memory, tmp_path):
    """Of many processes those that have ended lie on the disk; a later run takes both."""
    script = "for i in $(seq 90); do perl -e 1; done; echo ready; read line"
    words = [mete, "run", "--no-symbols", "sh", "-c", script]
    running = subprocess.Popen(
        words, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=clean_environment(XDG_RUNTIME_DIR=memory), preexec_fn=default_signals)
    assert running.stdout.readline() == b"ready\n"
    running.kill()
    running.communicate(timeout=30)  # the shell reads the end of its input
    assert list(tmp_path.glob(".mete-*")), "nothing was taken to the disk"
    wait_until(lambda: not any(is_mapped(file) for folder in (memory, tmp_path)
                               for file in folder.rglob("*.mete")))
    done = call_mete(mete, ["run", "-o", "last.mete", "true"], cwd=tmp_path,
                     env={"XDG_RUNTIME_DIR": memory})
    assert done.status == 0 and not list(tmp_path.glob(".mete-*")), done
    told = [json.loads(call_mete(mete, ["report", "--json", path]).out)
            for path in tmp_path.glob("sh.*.mete")]
    assert max(len(one["children"]) + one["children_unlisted"] for one in told) >= 90


def test_what_a_killed_mete_was_writing_is_removed(abandon, fake_mete, tmp_path):
    """Beside its recording, which is whole, lies what was to take its place."""
    killed = abandon("-o", "kept.mete")
    killed.kill_mete()
    killed.kill_program()
    half = killed.folder / ".mete-new-a1B2c3"
    half.write_bytes(MAGIC)
    done = call_mete(fake_mete, ["run", "-o", "a.mete", "true"], cwd=tmp_path, env=killed.env)
    assert len(done.said()) == 1 and "/kept.mete" in done.said()[0]
    assert not killed.folder.exists() and names(tmp_path) == ["a.mete", "kept.mete"]


def test_nothing_of_a_mete_that_lives_is_touched(abandon, fake_mete, tmp_path):
    running = abandon()
    before = sorted(running.folder.iterdir())
    other = tmp_path / "other"
    other.mkdir()
    running.mete.send_signal(signal.SIGSTOP)
    try:
        running.kill_program()  # mete does not gather it yet
        done = call_mete(fake_mete, ["run", "true"], cwd=other, env=running.env)
        assert done.said() == []
        assert sorted(running.folder.iterdir()) == before
    finally:
        running.mete.send_signal(signal.SIGCONT)


def test_where_a_place_is_gone_recordings_stay_and_are_named(abandon, fake_mete, tmp_path):
    (tmp_path / "gone").mkdir()
    killed = abandon("-o", "gone/", script="echo $$; exec sleep 60")
    wait_until(lambda: len(list(killed.folder.glob("*.mete"))) == 2)
    killed.kill_mete()
    killed.kill_program()
    (tmp_path / "gone").rmdir()
    done = call_mete(fake_mete, ["run", "-o", "a.mete", "true"], cwd=tmp_path, env=killed.env)
    assert re.fullmatch(
        rf"mete: run: an earlier run's recording stays in '{killed.folder}/{killed.pid}\.[12]\."
        rf"mete', in memory: move it where there is room; cannot write '{tmp_path}/gone/\w+\."
        rf"{killed.pid}(\.2)?\.mete': No such file or directory", done.said()[0]), done
    assert done.said()[1:] == ["mete: run: and 1 more that stays there"]
    assert len(list(killed.folder.glob("*.mete"))) == 2
    # It is known now; and told again when they have found a place.
    done = call_mete(fake_mete, ["run", "-o", "a.mete", "true"], cwd=tmp_path, env=killed.env)
    assert done.said() == []
    (tmp_path / "gone").mkdir()
    words = ["run", "--summary=summary", "-o", "a.mete", "true"]
    done = call_mete(fake_mete, words, cwd=tmp_path, env=killed.env)
    told = unwrapped((tmp_path / "summary").read_text(encoding="utf-8"))
    assert done.said() == []
    assert told.startswith("mete: run: an earlier run left 2 recordings, which are now '"), told
    assert len(names(tmp_path / "gone")) == 2 and not killed.folder.exists()


def test_what_a_run_says_of_its_recording_the_next_does_not_repeat(memory, fake_mete, tmp_path):
    (tmp_path / "gone").mkdir()
    env = {"XDG_RUNTIME_DIR": memory}
    words = ["run", "-o", "gone/a.mete", "rmdir", "gone"]
    done = call_mete(fake_mete, words, cwd=tmp_path, env=env)
    assert "the recording stays in" in done.said()[0]
    done = call_mete(fake_mete, ["run", "-o", "b.mete", "true"], cwd=tmp_path, env=env)
    assert done.said() == []
    assert len(list(memory.rglob("*.mete"))) == 1
    (tmp_path / "gone").mkdir()
    done = call_mete(fake_mete, ["run", "-o", "b.mete", "true"], cwd=tmp_path, env=env)
    assert done.said() == [
        f"mete: run: an earlier run left a recording, which is now '{tmp_path}/gone/a.mete'"]


def test_of_what_has_no_target_is_told_once(abandon, fake_mete, tmp_path):
    killed = abandon("-o", "kept.mete")
    killed.kill_mete()
    killed.kill_program()
    (killed.folder / "target").unlink()
    words = ["run", "-o", "a.mete", "true"]
    done = call_mete(fake_mete, words, cwd=tmp_path, env=killed.env)
    assert done.said() == [f"mete: run: an earlier run left 1 recording in '{killed.folder}'; "
                           "'mete report' reads it"]
    assert call_mete(fake_mete, words, cwd=tmp_path, env=killed.env).said() == []


def test_what_children_leave_that_nobody_wanted_is_removed(memory, fake_mete, tmp_path):
    """A child that goes on may make a recording while mete ends; here the test makes it."""
    env = {"XDG_RUNTIME_DIR": memory}
    script = 'd=${METE#*recording=}; : >"${d%/*}/hold"'
    done = call_mete(fake_mete, ["run", "-o", "a.mete", "--children=no", "sh", "-c", script],
                     cwd=tmp_path, env=env)
    assert done.said() == []
    folder = only_folder(memory)
    (folder / "hold").unlink()
    shutil.copy(tmp_path / "a.mete", folder / "4194000.2.mete")
    done = call_mete(fake_mete, ["run", "-o", "b.mete", "true"], cwd=tmp_path, env=env)
    assert done.said() == [] and not folder.exists()
    assert names(tmp_path) == ["a.mete", "b.mete"]


def test_folders_that_only_look_like_ours_are_left_alone(abandon, fake_mete, tmp_path):
    killed = abandon()
    others = [killed.memory / name for name in (".mete-open12", ".mete-toolong", ".mete-file12")]
    others[0].mkdir(mode=0o755)
    others[1].mkdir(mode=0o700)
    others[2].write_bytes(b"")
    (killed.memory / ".mete-link12").symlink_to(tmp_path)
    (others[0] / "1.1.mete").write_bytes(MAGIC)
    done = call_mete(fake_mete, ["run", "-o", "a.mete", "true"], cwd=tmp_path, env=killed.env)
    assert done.said() == []
    assert all(path.exists() for path in others) and (others[0] / "1.1.mete").exists()


def test_what_outlived_its_command_is_gathered_when_it_has_ended(run_fake, tmp_path):
    done = run_fake("sh", "-c", "sleep 60 >&- 2>&- <&- & sleep 0.2; echo $!")
    pid = int(done.out)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists())
    done = run_fake("true")
    (line,) = done.said()
    assert re.search(rf"earlier run left a recording, which is now '{tmp_path}/sleep\.{pid}(\.2)?"
                     r"\.mete'$", line)
    assert len(list(tmp_path.glob(f"sleep.{pid}.*mete"))) == 1
