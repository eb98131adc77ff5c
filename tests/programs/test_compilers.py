"""Compilers on mete's heap make the same objects, and C++ programs run as they do natively."""

import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
GROUPS = 90  # about three seconds for gcc -O2


@pytest.fixture()
def folders(tmp_path):
    """Two folders, for the native run and the other; the commands in both are the same."""
    pair = (tmp_path / "native", tmp_path / "mete")
    for folder in pair:
        folder.mkdir()
    return pair


def objects(folders, name):
    return [(folder / name).read_bytes() for folder in folders]


def test_gcc_makes_the_same_object_of_a_large_file(same_with_mete, folders):
    made = subprocess.run(
        ["/usr/bin/python3", HERE / "make_c.py", str(GROUPS)], stdout=subprocess.PIPE, check=True
    )
    for folder in folders:
        (folder / "large.c").write_bytes(made.stdout)
    same_with_mete(["gcc", "-O2", "-c", "large.c", "-o", "large.o"], cwd=folders)
    native, ours = objects(folders, "large.o")
    assert len(native) > 100000
    assert native == ours


def test_clang_makes_the_same_object_of_a_cpp_file(same_with_mete, folders):
    for folder in folders:
        shutil.copy(HERE / "library_tour.cpp", folder)
    command = ["clang++", "-std=c++17", "-O1", "-c", "library_tour.cpp", "-o", "library_tour.o"]
    same_with_mete(command, cwd=folders)
    native, ours = objects(folders, "library_tour.o")
    assert len(native) > 100000
    assert native == ours


def test_a_tour_of_the_cpp_library_prints_the_same(same_with_mete, compile_c):
    same_with_mete([compile_c(HERE / "library_tour.cpp", "-std=c++17")])


def test_exceptions_pass_through_frames_that_allocate(same_with_mete, compile_c):
    native, _ = same_with_mete([compile_c(HERE / "throwing_frames.cpp", "-std=c++17")])
    assert native.stdout.endswith(b"live 0\n")


def test_a_thousand_threads_print_the_same(same_with_mete, compile_c):
    native, _ = same_with_mete([compile_c(HERE / "thousand_threads.c")])
    assert native.stdout.startswith(b"1000 threads, sum ")
