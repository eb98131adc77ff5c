"""Where there is no room, no right or no way to record, the program does not notice, and one line
or `lost` says what is missing."""

import os
import pathlib
import re
import resource
import shutil
import subprocess

import pytest

from recording import Recording, unwrapped

NOBODY = 65534


def limit(kind, size):
    """For preexec_fn."""
    return lambda: resource.setrlimit(kind, (size, size))


def least_address_space(words, run_native, **options):
    """The least limit, in MiB, under which a program runs."""
    low, high = 1, 4096
    while high - low > 1:
        middle = (low + high) // 2
        size = middle << 20
        done = run_native(words, preexec_fn=limit(resource.RLIMIT_AS, size), **options)
        low, high = (low, middle) if done.status == 0 else (middle, high)
    return high


def test_a_limit_on_address_space_leaves_room_for_us(by_itself, run_native, known):
    """A program that runs under N on libc's heap runs under N + 16 MiB when it is observed."""
    least = least_address_space([known, 1, 20000], run_native)
    done, recordings = by_itself(
        known, 1, 20000, preexec_fn=limit(resource.RLIMIT_AS, (least + 16) << 20))
    assert (done.status, done.stderr) == (0, b""), done
    assert sum(site.allocations for site in recordings[0].sites) == 8 * 20000 + 3


def check_stacks(recording, count):
    """What confined.c allocates at each of its stacks."""
    own = [site for site in recording.sites if site.figures() in (
        (1, 50, 1, 1, 0, 0), (1, 60, 0, 0, 0, 60))]
    assert len(own) == 2 * count
    assert not any(recording.lost.values())


@pytest.mark.parametrize("mib", [32, 64, 256])
def test_a_limit_on_address_space_that_the_program_sets_itself(
        by_itself, compile_program, mib):
    """Tables take address space as they are used: what lies unused is not there."""
    done, (recording,) = by_itself(compile_program("confined.c"), "limit", 1024, mib)
    assert (done.status, done.stderr) == (0, b""), done
    check_stacks(recording, 1024)


def test_a_program_that_locks_its_memory_stays_small(by_itself, compile_program, run_native):
    """mlockall makes all that is mapped resident, now and later: tables that were mapped as a whole
    would be, too, 160 MiB of them."""
    program = compile_program("confined.c")
    native = run_native([program, "lock", 1024])
    if native.status == 77:
        pytest.skip("memory may not be locked here")
    done, (recording,) = by_itself(program, "lock", 1024)
    assert (done.status, done.stderr) == (0, b""), done
    check_stacks(recording, 1024)
    more = int(done.stdout) - int(native.stdout)
    assert more < 32 << 20, f"{more >> 20} MiB more"
    assert recording.path.stat().st_blocks * 512 < 8 << 20


def test_a_limit_on_files_is_met_by_a_smaller_recording(by_itself, known):
    done, (recording,) = by_itself(known, 1, 100, preexec_fn=limit(resource.RLIMIT_FSIZE, 4 << 20))
    assert (done.status, done.stderr) == (0, b""), done
    assert recording.path.stat().st_size <= 4 << 20
    assert sum(site.allocations for site in recording.sites) == 8 * 100 + 3


def test_a_limit_on_address_space_too_small_for_a_recording_is_one_line(by_itself, known):
    done, recordings = by_itself(
        known, 1, 100, preexec_fn=limit(resource.RLIMIT_AS, 10 << 20))
    assert done.status == 0 and recordings == [], done
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(
        "mete: nothing is recorded: Cannot allocate memory (raise ulimit -v): '")


def test_a_limit_on_files_too_small_for_a_recording_is_one_line(by_itself, known):
    done, recordings = by_itself(known, 1, 100, preexec_fn=limit(resource.RLIMIT_FSIZE, 4096))
    assert done.status == 0 and recordings == []
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("mete: nothing is recorded: File too large (raise ulimit -f): '")


def can_mount():
    """Whether a namespace with mounts of our own is to be had."""
    done = subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"], check=False,
                          capture_output=True)
    return done.returncode == 0


needs_mounts = pytest.mark.skipif(not can_mount(), reason="mounts are not allowed here")


def mount_small(kind, disk):
    """The shell's words that mount a file system of some MiB at the folder."""
    if kind == "tmpfs":
        return f"mount -t tmpfs -o size=1M none '{disk}'"
    image = disk.parent / "image"
    return (f"truncate -s 3M '{image}' && mkfs.ext4 -q -O ^has_journal '{image}' && "
            f"mount -o loop '{image}' '{disk}'")


@needs_mounts
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_full_disk_stops_the_recording_and_not_the_program(
        preload_for_all, run_native, events, tmp_path, kind):
    """A touch past the end would be SIGBUS. What found no room is counted as lost."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (f"{mount_small(kind, disk)} || exit 77; "
              f"METE=observe=yes,recording={disk}/a.mete LD_PRELOAD={preload_for_all} "
              f"'{events}' interrupted 20000; status=$?; "
              f"cp --sparse=always '{disk}/a.mete' '{tmp_path}/a.mete'; exit $status")
    done = run_native(["unshare", "-m", "sh", "-c", script])
    if done.status == 77:
        pytest.skip(f"{kind} cannot be mounted here")
    assert done.status == 0 and done.stderr == b"", done
    outside, inside = map(int, done.stdout.split())
    recording = Recording(tmp_path / "a.mete")
    lost = sum(recording.lost.values())
    counted = sum(site.allocations for site in recording.sites)
    others = sum(site.allocations for site in recording.sites if site.kind == "others")
    assert recording.lost["no room in the recording"] + others > 1000
    assert 100 < counted <= outside + inside <= counted + lost


@needs_mounts
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_full_disk_under_mete_run_says_what_is_missing(
        mete, run_native, compile_program, tmp_path, kind):
    """The recording lies beside its name when memory has no room, and stays there as it is when
    even its names find none."""
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (f"{mount_small(kind, disk)} || exit 77; "
              f"mount -t tmpfs -o size=1M none /dev/shm; cd '{disk}'; "
              f"'{mete}' run -o a.mete '{compile_program('confined.c')}' not 8192; status=$?; "
              f"cp --sparse=always a.mete '{tmp_path}'; ls -A >&2; exit $status")
    done = run_native(["unshare", "-m", "sh", "-c", script])
    if done.status == 77:
        pytest.skip(f"{kind} cannot be mounted here")
    assert (done.status, done.stdout) == (0, b"8192\n"), done
    said = done.stderr.decode()
    # Whichever table finds none first.
    assert re.search(r"^(Not counted: [\d,]+ events: no room in the recording|"
                     r"Without a stack: [\d,]+ allocations: no room for more sites)\n"
                     r"  mend: free space on its disk ", said, re.MULTILINE), said
    left = re.sub(r"lost\+found\n", "", said).splitlines()[-1]
    assert left == "a.mete", "nothing half written lies about"
    recording = Recording(tmp_path / "a.mete")
    named = sum(site.allocations for site in recording.sites if site.kind == "stack")
    assert 100 < named < 8192 * 2 - 1000
    # Where there was room for a row, at least, it is counted at the site "others".
    few = 8  # libc's own
    counted = recording.total("allocations")
    assert 8192 * 2 - recording.lost["no room in the recording"] <= counted <= 8192 * 2 + few
    assert sum(site.allocations for site in recording.sites) == recording.total("allocations")


@needs_mounts
def test_a_disk_too_small_for_a_header_is_one_line(preload_for_all, run_native, known, tmp_path):
    script = (f"mount -t tmpfs -o size=8K none /mnt; LD_PRELOAD={preload_for_all} "
              f"METE=observe=yes,recording=/mnt/a.mete '{known}' 1 10; status=$?; ls /mnt; "
              "exit $status")
    done = run_native(["unshare", "-m", "sh", "-c", script])
    assert (done.status, done.stdout) == (0, b""), done
    assert done.stderr == (
        b"mete: nothing is recorded: No space left on device (make room there, or "
        b"METE=recording=NAME records elsewhere): '/mnt/a.mete'\n"), done


@needs_mounts
def test_a_disk_that_is_full_anywhere_in_the_beginning(preload_for_all, run_native, tmp_path):
    """Whichever row finds no room: an exec and an end look at what was begun."""
    script = (
        "for pages in $(seq 1 40); do mount -t tmpfs -o size=$((pages * 4))K none /mnt || exit 77; "
        f"LD_PRELOAD={preload_for_all} METE=observe=yes,recording=/mnt/%p.%i.mete "
        "sh -c 'cd / && exec /bin/sh -c \"exit 3\"'; echo $? $(ls /mnt | wc -l); umount /mnt; done")
    done = run_native(["unshare", "-m", "sh", "-c", script])
    if done.status == 77:
        pytest.skip("tmpfs cannot be mounted here")
    ends = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(ends) == 40 and {status for status, _ in ends} == {3}, done
    # None at first; then one of the two; both where there is room.
    assert ends[0][1] == 0 and ends[-1][1] == 2, ends
    assert set(done.stderr.splitlines()) <= {
        b"mete: nothing is recorded: No space left on device (make room there, or "
        b"METE=recording=NAME records elsewhere): '/mnt/%p.%i.mete'"}, done


@needs_mounts
def test_generations_beside_a_disk_that_is_full_anywhere(
        preload_for_all, run_native, compile_program):
    """Whose recording finds no room, neither it nor what it forks notices; one line says so."""
    script = (
        "for pages in $(seq 12 52); do "
        "mount -t tmpfs -o size=$((pages * 4))K none /mnt || exit 77; "
        f"LD_PRELOAD={preload_for_all} METE=observe=yes,recording=/mnt/%p.%i.mete "
        f"timeout 20 '{compile_program('generations.c')}'; echo $?; umount /mnt; done")
    done = run_native(["unshare", "-m", "sh", "-c", script])
    if done.status == 77:
        pytest.skip("tmpfs cannot be mounted here")
    assert done.stdout == 41 * b"0\n", done
    # The process, or the first child that could not; and in each of these, what it cannot know.
    assert 0 < len(done.stderr.splitlines()) <= 41 * 2, done
    assert set(done.stderr.splitlines()) == {
        b"mete: nothing is recorded: No space left on device (make room there, or "
        b"METE=recording=NAME records elsewhere): '/mnt/%p.%i.mete'"}, done


@needs_mounts
def test_where_there_is_no_room_at_all_the_summary_says_so(mete, run_native, known, tmp_path):
    script = (f"mount -t tmpfs -o size=1M none /dev/shm; "
              f"mount -t tmpfs -o size=64K none {tmp_path}; cd {tmp_path}; "
              "unset TMPDIR XDG_RUNTIME_DIR; head -c 1M /dev/zero >fill; "
              f"exec '{mete}' run '{known}' 1 10")
    done = run_native(["unshare", "-m", "sh", "-c", script])
    assert (done.status, done.stdout) == (0, b""), done
    said = unwrapped(done.stderr.decode()).splitlines()
    assert said[-1] == ("mete: no recording was made: there is no room for one: make some, or set "
                        "TMPDIR to a folder that has it"), done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot")
def test_a_child_in_another_root_runs_on_unrecorded(by_itself, compile_program, tmp_path):
    """Its recording's folder is not there; the parent's says so, and one line."""
    (tmp_path / "root").mkdir()
    done, (recording,) = by_itself(compile_program("rooted.c"), tmp_path / "root")
    assert (done.status, done.stdout) == (0, b"child\nchild\nchild\nparent\n"), done
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("mete: nothing is recorded: No such file or directory (METE=recording=")
    assert recording.lost["forked children that could not record at all"] == 3
    assert recording.state == "ended"
    own = [site for site in recording.sites if site.sizes[2]]
    assert [site.allocations for site in own] == [10]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot")
def test_a_process_that_changes_its_root_goes_on_recording(observed, compile_program, tmp_path):
    """It has its file; the child that it makes there finds no place for one."""
    (tmp_path / "root").mkdir()
    done = observed(compile_program("rooted.c"), tmp_path / "root", "itself")
    assert (done.status, done.out) == (5, b"out\n"), done
    (line,) = [line for line in done.said() if "nothing is recorded" in line]
    assert "No such file or directory (METE=recording=NAME records elsewhere): '/" in line
    recording = done.only().check()
    winding = [site for site in recording.sites if site.bytes_allocated == 60]
    assert len(winding) == 1024
    own = [site.figures() for site in recording.sites if site.allocations == 5]
    assert own == [(5, 450, 0, 0, 0, 450)]
    assert recording.lost["forked children that could not record at all"] == 1
    assert "Not counted: 1 event: forked children that could not record" in done.err.decode()


def test_closed_descriptors(observed, compile_program, tmp_path):
    """Nothing of ours is kept open: programs close what is not theirs."""
    done = observed(compile_program("closefrom.c"), tmp_path / "file")
    assert done.status == 0, done
    done.only().check()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a setuid program")
def test_a_setuid_program_is_not_observed_and_runs_on(
        preload, run_native, compile_program, tmp_path):
    folder = pathlib.Path(subprocess.run(
        ["mktemp", "-d", "/var/tmp/mete-XXXXXX"], stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.strip())
    try:
        folder.chmod(0o777)
        library = shutil.copy(preload, folder)
        program = folder / "secure"
        shutil.copy(compile_program(
            "secure.c", "-Wl,--no-as-needed", str(library), f"-Wl,-rpath,{folder}"), program)
        env = {"METE": f"observe=yes,recording={folder}/%p.mete"}
        program.chmod(0o4755)
        done = run_native([program], env=env, user=NOBODY, group=NOBODY)
        if done.stdout == b"ordinary\n":
            pytest.skip("this file system ignores the setuid bit")
        assert done.status == 0 and done.stderr == b"", done
        assert not list(folder.glob("*.mete"))
        program.chmod(0o755)
        run_native([program], env=env, user=NOBODY, group=NOBODY)
        assert len(list(folder.glob("*.mete"))) == 1
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "place,words",
    [("/nonexistent/x.mete", "No such file or directory"), ("/dev/null/x", "Not a directory"),
     ("/proc/x.mete", "No such file or directory"), ("/dev/null", "File exists"),
     ("/" + "y" * 300, "File name too long"), ("/tmp", "File exists")],
)
def test_a_path_that_cannot_be_written_is_one_line(run_preloaded, known, place, words):
    done = run_preloaded([known, 1, 10], env={"METE": f"observe=yes,recording={place}"})
    assert done.status == 0
    (line,) = done.stderr.decode().splitlines()
    mend = "METE=recording=NAME records elsewhere"
    assert line == f"mete: nothing is recorded: {words} ({mend}): '{place}'"


def test_a_recording_is_for_its_owner_alone_and_no_link_is_followed(
        run_preloaded, known, tmp_path):
    done = run_preloaded([known, 1, 10], env={"METE": f"observe=yes,recording={tmp_path}/a"})
    assert done.stderr == b"" and (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    done = run_preloaded([known, 1, 10], env={"METE": f"observe=yes,recording={tmp_path}/link"})
    assert "nothing is recorded: File exists" in done.stderr.decode()
    assert not (tmp_path / "outside").exists()
