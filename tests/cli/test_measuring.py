"""`make demo` and bench/ measure what they say they do, or print no numbers."""

import os
import shutil
import subprocess
import sys

import pytest

STATIC = "int main(void)\n{\n    return 0;\n}\n"


def run(*command, env=None, **options):
    """A command with nothing to read; its status and what it wrote, as text."""
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(
        list(map(str, command)), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})}, check=False, timeout=280, **options,
    )


def build_in(folder, build, preload):
    """A build folder with what the measuring scripts take from one."""
    (folder / "bench").mkdir(parents=True)
    shutil.copy(build / "bench" / "measure", folder / "bench")
    shutil.copy(build / "mete", folder)
    shutil.copy(preload, folder / "libmete-preload.so")
    return folder


@pytest.fixture(params=["two words", "a:b"])
def awkward(request, tmp_path, build, preload):
    """A build folder whose path the loader would take for several."""
    return build_in(tmp_path / request.param, build, preload)


@pytest.fixture()
def broken(tmp_path, build, preload):
    """A build folder whose object cannot be preloaded."""
    folder = build_in(tmp_path / "build", build, preload)
    (folder / "libmete-preload.so").write_text("this is no object\n", encoding="utf-8")
    return folder


@pytest.fixture()
def launcher_of(source, monkeypatch):
    """Makes the launcher that demo and bench/ run everything with."""
    monkeypatch.syspath_prepend(str(source / "bench"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    from harness.measure import Launcher

    return Launcher


def test_an_object_in_a_folder_with_a_space_or_colon_is_loaded(launcher_of, awkward):
    ours = awkward / "libmete-preload.so"
    with launcher_of(awkward) as launcher:
        launcher.run(["/bin/cat", "/proc/self/maps"], ours)
        assert os.fsencode(ours) in launcher.output()


def test_a_program_that_loads_nothing_is_refused(launcher_of, build, preload, tmp_path):
    (tmp_path / "static.c").write_text(STATIC, encoding="utf-8")
    program = tmp_path / "static"
    assert run("cc", "-static", "-o", program, tmp_path / "static.c").returncode == 0
    with launcher_of(build) as launcher:
        assert launcher.run([program])[0].status == 0
        with pytest.raises(Exception, match="static does not load .*: is it static"):
            launcher.run([program], preload)


def test_a_link_that_the_loader_cannot_name_either_is_refused(
    launcher_of, awkward, tmp_path, monkeypatch
):
    (tmp_path / "my temporary files").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "my temporary files"))
    with launcher_of(awkward) as launcher:
        with pytest.raises(Exception, match="set TMPDIR to a folder without"):
            launcher.run(["/bin/true"], awkward / "libmete-preload.so")


def test_measure_takes_no_path_that_the_loader_would_split(build, tmp_path):
    done = run(build / "bench" / "measure", f"--preload={tmp_path}/two words.so", "/bin/true")
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr == "measure: --preload holds a space or colon: Invalid argument\n"


def test_no_numbers_without_the_object(source, broken):
    done = run(source / "bench" / "pairs", broken)
    assert done.returncode == 1
    assert done.stderr.startswith("bench: ") and "cannot be preloaded" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "glibc" not in done.stdout


@pytest.mark.parametrize("folder", ["plain", "two words"])
def test_demo_shows_where_the_memory_of_a_program_went(source, build, preload, tmp_path, folder):
    memory = tmp_path / "memory"  # of its own: what other runs left is not its business
    memory.mkdir(mode=0o700)
    done = run(source / "tools" / "demo", build_in(tmp_path / folder, build, preload),
               env={"XDG_RUNTIME_DIR": memory})
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = done.stdout.splitlines()
    assert lines[0] == "$ mete run perl examples/churn.pl"
    assert "Who held the peak" in lines and "Perl_" in done.stdout
    assert len(lines) <= 42 and max(map(len, lines[:-2])) <= 80
    assert lines[-2].startswith("recording  ") and lines[-1].startswith("next       mete report ")


def test_a_full_disk_is_one_line(source, build):
    words = ["--rounds=1", "--items=pair16", "--allocators=mete"]
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = run(source / "bench" / "pairs", build, *words, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "bench: cannot write to standard output: No space left on device\n"
