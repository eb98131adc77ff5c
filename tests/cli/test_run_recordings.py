"""Where recordings go: a stand-in for the preload object makes tiny ones."""

import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from conftest import call_mete, clean_environment, default_signals

SHELL = pathlib.Path(shutil.which("sh")).resolve().name
MAGIC = b"mete\r\n\032\n"
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


def names(folder):
    """What lies in a folder, with pids as PID."""
    return sorted(re.sub(r"\.\d{2,}\b", ".PID", path.name) for path in folder.iterdir())


def only(folder):
    """The one file in a folder, which is a recording."""
    (path,) = folder.iterdir()
    assert path.read_bytes()[:8] == MAGIC
    return path


def told(done):
    """What the summary calls the main program's recording."""
    (path,) = re.findall(r"^recording  (.*?)  [\d.]+ \w+$", done.err.decode(), re.M)
    return path


def test_a_recording_is_named_after_program_and_pid(run_fake, tmp_path):
    done = run_fake("sh", "-c", "echo $$")
    pid = int(done.out)
    # What the recording says the program is called, not the link by which it was called.
    program = pathlib.Path(shutil.which("sh")).resolve().name
    path = only(tmp_path)
    assert path.name == f"{program}.{pid}.mete"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert told(done) == path.name
    assert done.status == 0


def test_a_recording_is_cut_to_size(run_fake, tmp_path):
    """Also over file systems: the folder of live recordings is on another one than this."""
    assert run_fake("true").status == 0
    assert only(tmp_path).stat().st_size < 1 << 15


def test_a_second_image_of_a_pid_is_numbered(run_fake, tmp_path):
    done = run_fake("sh", "-c", "echo $$; exec sleep 0")
    pid = int(done.out)
    shell = pathlib.Path(shutil.which("sh")).resolve().name
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {f"{shell}.{pid}.mete", f"sleep.{pid}.2.mete"}
    assert told(done) == f"sleep.{pid}.2.mete"


@pytest.mark.parametrize(
    "pattern,wanted",
    [
        ("out.mete", ["out.2.mete", "out.3.mete", "out.mete"]),
        ("out", ["out", "out.2", "out.3"]),
        ("%n.mete", ["sh.mete", "sleep.2.mete", "sleep.mete"]),
        ("%p.mete", ["PID.mete", "PID.mete", "PID.mete"]),
        ("%h.%%.mete", ["HOST.%.2.mete", "HOST.%.3.mete", "HOST.%.mete"]),
        ("here/", ["sh.PID.mete", "sleep.PID.mete", "sleep.PID.mete"]),
        ("here/%n", ["sh", "sleep", "sleep.2"]),
    ],
)
def test_names_as_they_are_asked_for(run_fake, tmp_path, pattern, wanted):
    folder = tmp_path / "here"
    folder.mkdir()
    # The shell's own peak is the largest, so it is the main program.
    script = "FAKE_PEAK=1 sleep 0; FAKE_PEAK=2 sleep 0; true"
    done = run_fake("-o", pattern, "bash", "-c", script, env={"FAKE_PEAK": 9}, cwd=(
        tmp_path if "/" in pattern else folder))
    assert done.status == 0, done
    found = [re.sub(r"^\d+", "PID", name) for name in names(folder)]
    found = sorted(name.replace(socket.gethostname(), "HOST") for name in found)
    assert found == sorted(name.replace("sh.", "bash.") if name.startswith("sh.") else
                           "bash" if name == "sh" else name for name in wanted)
    assert re.search(r"^(here/)?(bash|out|\d+|[^ ]*%)(\.\d+)?(\.mete)?$", told(done)), done


def test_through_a_shell_the_largest_is_the_main_program(run_fake, tmp_path):
    script = "FAKE_PEAK=5 sleep 0; FAKE_PEAK=70 true; FAKE_PEAK=6 sleep 0; :"
    done = run_fake("-o", "main.mete", "sh", "-c", script.replace("true", "/bin/true"))
    assert told(done) == "main.mete"
    assert b"true" in (tmp_path / "main.mete").read_bytes()
    assert names(tmp_path) == ["main.2.mete", "main.3.mete", "main.4.mete", "main.mete"]


def head_of(done):
    """The summary's first lines."""
    lines = done.err.decode().splitlines()
    return lines[:lines.index("")]


def test_who_started_the_largest_is_told(run_fake, tmp_path):
    script = "FAKE_PEAK=5 sleep 0; FAKE_PEAK=70 /bin/true x 'y z'; FAKE_PEAK=6 sleep 0; exit 3"
    done = run_fake("sh", "-c", script)
    pid = next(iter(re.findall(r"(\d+) +status 3$", done.err.decode(), re.M)))
    first, second, third = head_of(done)
    assert first == "true" and second.startswith("ended after ")
    # The command as it was typed; the fake records no arguments.
    assert third == f"the largest of 4 processes of {SHELL} (pid {pid}, status 3)"
    # It is the first of the children, whatever its pid.
    lines = done.err.decode().splitlines()
    assert f"{SHELL} {pid} " in lines[lines.index(next(
        line for line in lines if line.endswith("  Children"))) + 1]
    assert len(head_of(run_fake("sh", "-c", "exec sleep 0"))) == 2


def test_of_a_compiler_its_driver_is_not_the_main_program(run, tmp_path):
    (tmp_path / "a.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "all").mkdir()
    done = run("-o", "all/a.mete", "gcc", "-c", "a.c")
    first, second, third = head_of(done)
    assert first.startswith("cc1 ") and second.startswith("ended after ")
    assert re.fullmatch(r"the largest of \d processes of gcc -c a\.c \(pid \d+, status 0\)", third)
    assert told(done) == "all/a.mete"


def test_without_children_the_main_programs_alone_is_kept(run_fake, tmp_path):
    script = "FAKE_PEAK=5 sleep 0; FAKE_PEAK=70 /bin/true; FAKE_PEAK=6 sleep 0"
    for word in ("--no-children", "--children=no"):
        done = run_fake("-o", "main.mete", word, "sh", "-c", script)
        assert b"/true" in only(tmp_path).read_bytes()
        assert told(done) == "main.mete" and b"Children" not in done.err


def test_many_children_are_named_apart_and_not_all_told(run_fake, tmp_path):
    script = "i=0; while [ $i -lt 40 ]; do sleep 0; i=$((i+1)); done"
    done = run_fake("-o", "a.mete", "sh", "-c", script)
    assert len(list(tmp_path.iterdir())) == 41
    assert b"and 31 more" in done.err


@pytest.mark.parametrize("content", [b"precious", b"", b"mete", b"mete\n\n\032\n--------"])
def test_where_something_else_has_the_name_nothing_runs(run_fake, tmp_path, content):
    (tmp_path / "notes").write_bytes(content)
    done = run_fake("-o", "notes", "touch", "ran")
    assert (tmp_path / "notes").read_bytes() == content
    assert (done.status, done.said()) == (125, [
        "mete: run: 'notes' is there and is no recording: name another place with -o"])
    assert names(tmp_path) == ["notes"]


def test_a_device_gets_no_sibling(run_fake):
    done = run_fake("-o", "/dev/null", "true")
    assert done.status == 125
    assert not os.path.lexists("/dev/null.2")


def test_a_file_that_came_meanwhile_is_left_alone(run_fake, tmp_path):
    words = ["sh", "-c", "echo precious >notes; exec true"]
    done = run_fake("-o", "notes", "--children=no", *words)
    assert (tmp_path / "notes").read_text() == "precious\n"
    assert (tmp_path / "notes.2").read_bytes()[:8] == MAGIC
    assert done.said()[0] == (
        "mete: run: 'notes' is no recording and is left alone; this one is in 'notes.2'"
    )
    assert done.status == 0
    # Now an older recording is in the way of the second choice; only the first gives way to one.
    (tmp_path / "notes").unlink()
    done = run_fake("-o", "notes", "--children=no", *words)
    assert names(tmp_path) == ["notes", "notes.2", "notes.3"]


def test_an_older_recording_is_replaced(run_fake, tmp_path):
    (tmp_path / "a.mete").write_bytes(MAGIC + b"old")
    (tmp_path / "a.mete").chmod(0o644)
    done = run_fake("-o", "a.mete", "true")
    path = only(tmp_path)
    assert path.stat().st_size > 100 and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert told(done) == "a.mete"


@pytest.mark.parametrize("kind", ["link to a recording", "link to nothing", "folder", "pipe"])
def test_neither_links_nor_what_is_no_file_are_followed_or_replaced(run_fake, tmp_path, kind):
    place = tmp_path / "a.mete"
    outside = tmp_path / "outside"
    make = {"folder": "mkdir a.mete", "pipe": "mkfifo a.mete"}.get(kind, "ln -s outside a.mete")
    if kind.endswith("recording"):
        outside.write_bytes(MAGIC)
    done = run_fake("-o", "a.mete", "--children=no", "sh", "-c", f"{make}; exec true")
    assert done.status == 0 and place.lstat().st_mode & 0o777 != 0o600
    assert not outside.exists() or outside.read_bytes() == MAGIC
    assert (tmp_path / "a.2.mete").read_bytes()[:8] == MAGIC
    before = names(tmp_path)
    done = run_fake("-o", "a.mete", "true")
    why = ("is a folder: write 'a.mete/' to put recordings into it" if kind == "folder" else
           "is there and is no recording: name another place with -o")
    assert (done.status, done.said()) == (125, [f"mete: run: 'a.mete' {why}"])
    assert names(tmp_path) == before


def live_of(done):
    """The path in memory that a message names."""
    pattern = r"stays in '(/dev/shm/\S*\.mete-\w+/\d+\.1\.mete)'"
    (path,) = re.findall(pattern, "\n".join(done.said()))
    return pathlib.Path(path)


@pytest.mark.parametrize("output,place,why", [
    ("missing/a.mete", "missing/", "No such file or directory; make that folder, or name"),
    ("file/a.mete", "file/", "Not a directory; name"),
    ("%h/", f"{os.uname().nodename}/", "No such file or directory; make that folder, or name"),
])
def test_a_folder_that_cannot_be_written_is_told_before_the_program_runs(run_fake, tmp_path, output,
                                                                         place, why):
    (tmp_path / "file").write_bytes(b"")
    done = run_fake("--summary=summary", "-o", output, "touch", "ran")
    assert done.status == 125
    assert done.said() == [
        f"mete: run: recordings cannot be written to '{place}': {why} another place with -o"
    ]
    assert names(tmp_path) == ["file"]


def test_a_place_where_nobody_can_make_files_is_told_before_the_program_runs(run_fake, tmp_path):
    """Root may write there, as far as permissions tell."""
    done = run_fake("-o", "/proc/a.mete", "touch", "ran")
    assert done.status == 125 and names(tmp_path) == []
    assert "recordings cannot be written to '/proc/': " in done.said()[0]
    assert "No such file" not in done.said()[0]


def test_a_folder_that_is_named_after_the_program_is_not_known_before(run_fake, tmp_path):
    (tmp_path / "true").mkdir()
    assert run_fake("-o", "%n/a.mete", "true").status == 0
    assert names(tmp_path / "true") == ["a.mete"]


def test_a_program_that_leaves_no_recording_needs_no_folder(run_fake, compile_words):
    program = compile_words("sane", "int main(void) { return 3; }\n", ["-fsanitize=address"])
    done = run_fake("--anyway", "-o", "missing/a.mete", program)
    assert done.status == 3 and "missing" not in done.err.decode(), done


def test_of_a_folder_that_goes_meanwhile_nothing_is_lost(run_fake, tmp_path):
    (tmp_path / "gone").mkdir()
    done = run_fake("-o", "gone/a.mete", "rmdir", "gone")
    assert done.status == 0
    assert "cannot write 'gone/a.mete': No such file or directory" in done.said()[0]
    assert done.said()[0].endswith(", in memory: move it where there is room")
    live = live_of(done)
    assert live.read_bytes()[:8] == MAGIC
    assert stat.S_IMODE(live.parent.stat().st_mode) == 0o700
    shutil.rmtree(live.parent)


def in_namespace(setup, fake_mete, words, cwd, env=None, after=":"):
    """Runs a fake mete after a shell has arranged the mounts as it likes."""
    script = f"set -e; {setup}; cd '{cwd}'; \"$@\"; {after}"
    return call_mete("/usr/bin/unshare", ["-m", "sh", "-c", script, "sh", fake_mete, "run", *words],
                     env=env)


def can_mount():
    done = subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"], check=False,
                          capture_output=True)
    return done.returncode == 0


needs_mounts = pytest.mark.skipif(not can_mount(), reason="mounts are not allowed here")
SMALL_SHM = "mount -t tmpfs -o size=1M none /dev/shm"


@needs_mounts
def test_a_read_only_folder(fake_mete, tmp_path):
    setup = f"mount -t tmpfs none '{tmp_path}'; mount -o remount,ro '{tmp_path}'"
    done = in_namespace(setup, fake_mete, ["echo", "ran"], tmp_path)
    assert (done.status, done.out) == (125, b"")
    assert done.said() == [
        "mete: run: recordings cannot be written to '.': Read-only file system; name another place "
        "with -o"
    ]


@needs_mounts
def test_a_full_disk(fake_mete, tmp_path):
    """What could not be written leaves nothing behind."""
    setup = (f"mount -t tmpfs -o size=64K none '{tmp_path}'; cd '{tmp_path}'; "
             "head -c 60K /dev/zero > full")
    done = in_namespace(setup, fake_mete, ["true"], tmp_path, after="ls -A")
    assert "No space left on device" in done.said()[0], done
    assert done.out == b"full\n"
    live = live_of(done)
    assert live.read_bytes()[:8] == MAGIC
    shutil.rmtree(live.parent)


def test_a_limit_on_the_size_of_files(run_fake, tmp_path):
    """Past it the kernel sends a signal that ends programs; here it is mete that meets it."""
    program = ("import os, resource\n"
               "resource.prlimit(os.getppid(), resource.RLIMIT_FSIZE, (4096, 4096))\n")
    done = run_fake("-o", "a.mete", sys.executable, "-c", program)
    assert done.status == 0, done
    assert b"\nstatus 0 after " in done.err, done  # which it has not from the recording
    assert "has no names: File too large; 'mete report --embed' adds them" in done.said()[0]
    assert "cannot write 'a.mete': File too large" in done.said()[1]
    assert list(tmp_path.iterdir()) == []
    shutil.rmtree(live_of(done).parent)


@needs_mounts
def test_a_disk_that_gets_full_meanwhile(mete, tmp_path):
    """The program does not notice; how it ended is told, though its recording cannot say so."""
    setup = f"{SMALL_SHM}; mount -t tmpfs -o size=4M none '{tmp_path}'; cd '{tmp_path}'"
    program = ("file = open('full', 'wb', buffering=0)\n"
               "try:\n"
               "    while file.write(bytes(4096)): pass\n"
               "except OSError: raise SystemExit(7)\n")
    done = in_namespace(setup, mete, [sys.executable, "-c", program], tmp_path)
    assert done.status == 7, done
    assert "has no names: No space left on device" in done.said()[0], done
    assert re.search(rb"^status 7 after ", done.err, re.M), done


@needs_mounts
def test_without_room_in_memory_recordings_live_beside_their_names(fake_mete, tmp_path):
    words = ["sh", "-c", "echo .m*; echo $METE"]
    done = in_namespace(SMALL_SHM, fake_mete, words, tmp_path)
    assert done.out.startswith(b".mete-") and f"recording={tmp_path}/.mete-".encode() in done.out
    assert only(tmp_path).name.endswith(".mete")
    (tmp_path / "b").mkdir()
    done = in_namespace(SMALL_SHM, fake_mete, ["-o", "b/x.mete", *words], tmp_path)
    assert f"recording={tmp_path}/b/.mete-".encode() in done.out
    assert names(tmp_path / "b") == ["x.mete"]


@needs_mounts
def test_without_room_in_memory_and_here_recordings_go_to_tmpdir(fake_mete, tmp_path):
    here = tmp_path / "here"
    there = tmp_path / "there"
    here.mkdir()
    there.mkdir()
    setup = f"{SMALL_SHM}; mount -t tmpfs -o nr_inodes=1 none '{here}'"
    done = in_namespace(setup, fake_mete, ["true"], here, env={"TMPDIR": there})
    assert done.status == 0
    assert f"the recording stays in '{there}/.mete-" in done.said()[0]
    assert "in memory" not in done.said()[0]
    assert len(list(there.rglob("*.1.mete"))) == 1


@needs_mounts
def test_the_folder_of_the_session_is_taken_first(fake_mete, tmp_path):
    """Its name may hold what stands for something in METE and in patterns."""
    own = tmp_path / "a, b%p%2C"
    own.mkdir()
    setup = f"mount -t tmpfs none '{own}'"
    done = in_namespace(setup, fake_mete, ["sh", "-c", "echo $METE"], tmp_path,
                        env={"XDG_RUNTIME_DIR": own})
    assert f"recording={tmp_path}/a%2C%20b%%p%%252C/.mete-".encode() in done.out
    assert "sh" in names(tmp_path)[1] and len(list(tmp_path.iterdir())) == 2


def test_a_place_whose_name_is_too_long_to_be_told_is_not_taken(run_fake, tmp_path):
    deep = tmp_path
    for _ in range(6):
        deep = deep / ("x" * 200)
        deep.mkdir()
    assert run_fake("true", cwd=deep).status == 0
    assert only(deep).name.startswith("true.")


def test_what_is_said_of_arguments_reaches_the_program(run_fake):
    env = {"FAKE_TELL": 1}
    assert re.search(rb"^1 /dev/shm/\S+/.mete-\w+/%p.%i.mete$", run_fake("true", env=env).err, re.M)
    assert re.search(rb"^0 /dev/shm/", run_fake("--no-arguments", "true", env=env).err, re.M)


def test_a_program_killed_leaves_its_recording(run_fake, tmp_path):
    done = run_fake("sh", "-c", "kill -KILL $$")
    assert done.status == 137
    only(tmp_path)


def test_a_file_that_never_became_a_recording_is_removed(run_fake, tmp_path):
    done = run_fake("true", env={"FAKE_BROKEN": 1})
    assert done.status == 0 and list(tmp_path.iterdir()) == []
    assert done.said()[0].startswith("mete: no recording was made: ")


def test_a_program_that_becomes_one_that_leaves_nothing(run_fake, tmp_path):
    done = run_fake("sh", "-c", "exec env -i true", env={"FAKE_STATE": 2})
    assert any(line.startswith("mete: not everything was seen: 'sh' became ")
               for line in done.said()), done


def test_what_is_no_recording_in_the_folder_is_not_removed(run_fake, tmp_path):
    done = run_fake("sh", "-c", "d=${METE#*recording=}; echo x > ${d%/*}/mine; echo ${d%/*}")
    folder = pathlib.Path(done.out.decode().strip())
    assert f"mete: run: '{folder}' is not empty and stays" in done.said()
    assert (folder / "mine").read_text() == "x\n"
    shutil.rmtree(folder)


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("wrapper", ["", "setsid "])
def test_a_child_that_outlives_the_command_goes_on_recording(run_fake, tmp_path, wrapper):
    done = run_fake("sh", "-c", f"{wrapper}sleep 60 >&- 2>&- <&- & sleep 0.2; echo $!")
    pid = int(done.out)
    try:
        line = next(line for line in done.said() if "still runs" in line)
        live = re.search(rf"sleep \(pid {pid}\) still runs and goes on recording in '(.*)'$", line)
        live = pathlib.Path(live.group(1))
        assert live.read_bytes()[:8] == MAGIC
        shell = pathlib.Path(shutil.which("sh")).resolve().name
        assert f"{shell}.PID.mete" in names(tmp_path)
    finally:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(live.parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces here")
def test_a_child_that_outlives_in_a_namespace_of_its_own(run_fake, tmp_path):
    """Its pid there says nothing here, where it is perhaps another's."""
    script = "unshare -pf sh -c 'sleep 60; :' >&- 2>&- <&- & sleep 0.5; echo $!"
    done = run_fake("sh", "-c", script)
    pid = int(done.out)
    try:
        lines = [line for line in done.said() if "still runs" in line]
        assert any("sleep" in line for line in lines) and any("unshare" in line for line in lines)
    finally:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
        for process in [*map(int, children.split()), pid]:
            os.kill(process, signal.SIGKILL)
    shutil.rmtree(pathlib.Path(re.search(r"'(.*)/", lines[0]).group(1)))


def test_without_children_even_one_that_outlives_keeps_nothing(run_fake, tmp_path):
    done = run_fake("-o", "m.mete", "--no-children", "sh", "-c",
                    "sleep 30 >&- 2>&- <&- & sleep 0.2; echo $!", env={"FAKE_PEAK": 3})
    os.kill(int(done.out), signal.SIGKILL)
    assert not any("still runs" in line for line in done.said()), done
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT"])
def test_the_folder_goes_also_when_mete_is_told_to_end(fake_mete, tmp_path, name):
    running = subprocess.Popen(
        [fake_mete, "run", "sh", "-c", "echo ${METE#*recording=}; exec sleep 60"], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(),
        preexec_fn=default_signals,
    )
    folder = pathlib.Path(running.stdout.readline().decode().strip()).parent
    wait_until(lambda: len(list(folder.glob("*.mete"))) == 2)  # of the shell and of sleep
    running.send_signal(getattr(signal, f"SIG{name}"))
    running.communicate(timeout=30)
    assert running.returncode == 128 + getattr(signal, f"SIG{name}")
    assert not folder.exists() and len(list(tmp_path.iterdir())) == 2


def test_a_program_that_cannot_be_started_leaves_no_folder(run_fake, tmp_path):
    assert run_fake("nonexistent-program").status == 127
    assert list(tmp_path.iterdir()) == []


@needs_root
def test_another_user_gets_recordings_of_his_own(fake_folder, tmp_path):
    open_folder = pathlib.Path(subprocess.run(
        ["mktemp", "-d", "/tmp/mete-test-XXXXXX"], stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.strip())
    try:
        for name in ("mete", "libmete-preload.so"):
            shutil.copy(fake_folder / name, open_folder)
        home = open_folder / "home"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        open_folder.chmod(0o755)
        done = call_mete(open_folder / "mete", ["run", "true"], cwd=home, user=NOBODY,
                         group=NOBODY, extra_groups=[])
        assert only(home).stat().st_uid == NOBODY, done
        # Root's, where it may not write.
        done = call_mete(open_folder / "mete", ["run", "true"], cwd=open_folder, user=NOBODY,
                         group=NOBODY, extra_groups=[])
        assert done.status == 125
        assert "recordings cannot be written to '.': Permission denied" in done.said()[0]
    finally:
        shutil.rmtree(open_folder)
