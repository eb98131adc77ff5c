"""The front door: what the Makefile and its scripts do with what people hand them."""

import json
import os
import shutil
import subprocess

import pytest

NOBODY = 65534

# What a make that runs these tests would tell the one that is tested.
OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "BUILD", "PREFIX", "DESTDIR", "JOBS")


def run(*command, env=None, **options):
    """A command with nothing to read; its status and what it wrote, as text."""
    clean = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    return subprocess.run(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, check=False, timeout=500, env={**clean, **(env or {})},
        **options,
    )


def test_meson_alone_leaves_out_what_takes_ten_minutes(build):
    listing = ["meson", "test", "-C", build, "--no-rebuild", "--list"]
    tests = run(*listing).stdout
    assert "heap/model" in tests and "soak" not in tests
    assert "soak/model" in run(*listing, "--suite", "soak").stdout


@pytest.fixture()
def empty_tree(source, tmp_path):
    """A folder with nothing but the Makefile, where `make clean` does no harm."""
    shutil.copy(source / "Makefile", tmp_path)
    return tmp_path


def test_help_may_be_cut_short(empty_tree):
    for _ in range(5):
        done = run("sh", "-c", "make help | head -1", cwd=empty_tree)
        assert done.stdout.startswith("make ") and done.stdout.count("\n") == 1
        assert done.stderr == ""


@pytest.mark.parametrize("name", ["build", "two words"])
def test_clean_removes_the_build_folder_that_is_named(empty_tree, name):
    for folder in ("build", "two words", "build-test"):
        (empty_tree / folder / "meson-private").mkdir(parents=True)
    assert run("make", "clean", f"BUILD={name}", cwd=empty_tree).returncode == 0
    kept = {"build", "two words"} - {name}
    assert {path.name for path in empty_tree.iterdir()} == {"Makefile", *kept}


def test_clean_leaves_alone_what_is_no_build_folder(empty_tree):
    (empty_tree / "src").mkdir()
    done = run("make", "clean", "BUILD=src", cwd=empty_tree)
    assert done.returncode != 0
    assert done.stderr.startswith("clean: src holds no build of Meson's and is left alone\n")
    assert (empty_tree / "src").is_dir()
    assert run("make", "clean", "BUILD=missing", cwd=empty_tree).returncode == 0


@pytest.mark.parametrize("target,script", [("demo", "tools/demo"), ("bench", "bench/run")])
def test_standard_output_has_the_answer_alone(empty_tree, target, script):
    for name, words in (("tools/setup", ""), (script, "echo answer"), ("bin/ninja", "echo built")):
        path = empty_tree / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{words}\n", encoding="utf-8")
        path.chmod(0o755)
    (empty_tree / "build").mkdir()
    (empty_tree / "build" / "build.ninja").touch()
    env = {"PATH": f"{empty_tree / 'bin'}:{os.environ['PATH']}"}
    done = run("make", target, cwd=empty_tree, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "answer\n", "built\n")


def test_folders_may_have_spaces(source, tmp_path):
    words = [f"BUILD={tmp_path}/b c", "PREFIX=/opt/d e", f"DESTDIR={tmp_path}/f g"]
    done = run("make", "-C", source, "install", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    prefix = tmp_path / "f g" / "opt" / "d e"
    assert run(prefix / "bin" / "mete", "version").returncode == 0
    libraries = next(prefix.rglob("libmete-preload.so")).parent
    asked = run("pkg-config", "--variable=prefix", "mete",
                env={"PKG_CONFIG_LIBDIR": str(libraries / "pkgconfig")})
    assert asked.stdout.replace("\\", "") == "/opt/d e\n"
    # Another prefix builds anew, for it stands in the program.
    words[1] = "PREFIX=/opt/h"
    assert run("make", "-C", source, "install", *words).returncode == 0
    assert b"/opt/h/lib" in (tmp_path / "f g" / "opt" / "h" / "bin" / "mete").read_bytes()


def test_install_says_where_it_may_not_write(source, build):
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    prefix = run("meson", "introspect", build, "--buildoptions").stdout
    prefix = next(one["value"] for one in json.loads(prefix) if one["name"] == "prefix")
    if run("test", "-r", build / "meson-info" / "meson-info.json", **user).returncode != 0:
        pytest.skip("an ordinary user may not read the build folder")
    if run("test", "-w", prefix, **user).returncode == 0:
        pytest.skip(f"an ordinary user may write to {prefix}")
    done = run(source / "tools" / "install", build, prefix, "", **user)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"install: {prefix}") and done.stderr.count("\n") == 1
    assert "sudo make install" in done.stderr
