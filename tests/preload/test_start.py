"""Before main(), after it, and around it: settings, setuid, linking, early and late callers."""

import os
import shutil
import tempfile

import pytest

NOBODY = 65534


@pytest.fixture(scope="session")
def idle(compile_program):
    """A program that allocates, prints "done" and ends."""
    return compile_program("idle.c")


@pytest.mark.parametrize(
    "text",
    ["", ",", "stats=no", "direct_size=64K", "direct_size=1G,dirty_keep=0,purge_delay=1",
     "helper=no,perturb=0", "stats=yes,stats=no", "perturb=255"],
)
def test_good_settings_are_silent(idle, run_preloaded, text):
    """Protects a program's output from ours: nothing is said about settings that are in order."""
    result = run_preloaded([idle], env={"METE": text})
    assert (result.status, result.stdout, result.stderr) == (0, b"done\n", b""), result


@pytest.mark.parametrize(
    "text, parts",
    [("nonsense=1", ["nonsense"]), ("nonsense", ["nonsense"]), ("helper=perhaps", ["helper"]),
     ("direct_size=", ["direct_size"]), ("perturb=256", ["perturb"]),
     ("dirty_keep=-1", ["dirty_keep"]),
     ("nonsense=1,stats=no,folly=2", ["nonsense", "folly"]),
     ("nonsense=\n\x1b[31m" + "x" * 5000, ["nonsense"])],
)
def test_bad_settings_are_a_line_each(idle, run_preloaded, text, parts):
    """Protects users who mistype: one line on fd 2 names the part, the program is unaffected."""
    result = run_preloaded([idle], env={"METE": text})
    assert (result.status, result.stdout) == (0, b"done\n"), result
    lines = result.stderr.decode().splitlines()
    assert len(lines) == len(parts), result
    for line, part in zip(lines, parts):
        assert line.startswith("mete: ") and part in line
        assert len(line) < 200 and line.isprintable()


def test_bad_settings_do_not_spoil_good_ones(idle, run_preloaded):
    """Protects the rest of METE from a mistake in one part of it."""
    result = run_preloaded([idle], env={"METE": "nonsense=1,stats=yes,helper=x"})
    assert result.stdout == b"done\n"
    lines = result.stderr.decode().splitlines()
    assert [line.startswith("mete: ") for line in lines[:3]] == [True, True, False]
    assert "Total (incl. mmap):" in lines


def test_stats_come_at_exit(idle, run_preloaded):
    """Protects METE=stats=yes: malloc_stats' figures, once, after the program's own words."""
    result = run_preloaded([idle], env={"METE": "stats=yes"})
    assert result.status == 0 and result.stdout == b"done\n"
    lines = result.stderr.decode().splitlines()
    assert lines.count("Total (incl. mmap):") == 1
    in_use = next(line for line in lines if line.startswith("in use bytes"))
    assert int(in_use.split("=")[1]) >= 0


def test_similar_variables_are_not_ours(idle, run_preloaded):
    """Protects programs with variables that begin like METE."""
    result = run_preloaded([idle], env={"METER": "nonsense=1", "METE_X": "y", "XMETE": "z=1"})
    assert (result.stdout, result.stderr) == (b"done\n", b""), result


@pytest.mark.parametrize(
    "words, filling",
    [("85", "aa"), ("0x20", "df"), ("0X2f", "d0"), ("040", "df"), (" \t+32", "df"),
     ("32abc", "df"), ("-18446744073709551584", "df"), ("0x2g", "fd"), ("0x2:", "fd"),
     ("abc", "00"), ("", "00"), ("0x", "00"), ("08", "00"), ("256", "00"), ("-1", "00"),
     ("18446744073709551648", "00")],
)
def test_glibc_variables_are_read_as_glibc_does(compile_program, succeeds, words, filling):
    """Protects those who have MALLOC_PERTURB_ in any notation that glibc knows."""
    result = succeeds([compile_program("glibc_variables.c")], env={"MALLOC_PERTURB_": words})
    assert result.stdout.split()[0].decode() == filling


@pytest.mark.parametrize(
    "words, middling, huge",
    [("0x10000", 1, 1), ("0200000", 1, 1), ("65536 bytes", 1, 1), ("-1", 0, 0)],
)
def test_glibc_thresholds_are_read_as_glibc_does(compile_program, succeeds, words, middling, huge):
    """Protects the same for a threshold, of which -1 is the largest."""
    result = succeeds([compile_program("glibc_variables.c")], env={"MALLOC_MMAP_THRESHOLD_": words})
    assert result.stdout.split()[1:] == [b"%d" % middling, b"%d" % huge]


def linked(compile_program, preload, name):
    """A program linked with the preload object instead of preloading it."""
    return compile_program(
        name, "-Wl,--no-as-needed", str(preload), f"-Wl,-rpath,{preload.resolve().parent}", "-ldl"
    )


def test_linking_instead_of_preloading(compile_program, preload, run_native):
    """Protects `cc prog.c -lmete-preload`: libc's own calls reach us, too."""
    result = run_native([linked(compile_program, preload, "whose.c")])
    assert result.status == 0 and b"libmete-preload.so" in result.stdout, result


def test_linking_by_pkg_config(build, compile_program, run_native, tmp_path):
    """Protects `cc prog.c $(pkg-config --libs mete-preload)`, as installed: a program that never
    names malloc still gets ours."""
    if not shutil.which("pkg-config") or not shutil.which("meson"):
        pytest.skip("pkg-config or meson is not installed")
    install = ["meson", "install", "-C", build, "--no-rebuild", "--tags", "runtime,devel"]
    done = run_native([*install, "--destdir", tmp_path])
    assert done.status == 0, done
    description = next(tmp_path.rglob("mete-preload.pc"))
    library = next(tmp_path.rglob("libmete-preload.so"))
    stated = run_native(["pkg-config", "--variable=prefix", description]).stdout.decode().strip()
    asked = run_native(
        ["pkg-config", f"--define-variable=prefix={tmp_path}{stated}", "--libs", description]
    )
    assert asked.status == 0, asked
    flags = asked.stdout.decode().split()
    program = compile_program("whose.c", *flags, "-ldl", f"-Wl,-rpath,{library.parent}")
    result = run_native([program])
    assert result.status == 0 and b"libmete-preload.so" in result.stdout, result


def test_setuid_programs_ignore_the_environment(compile_program, preload, run_native):
    """Protects setuid programs from whoever runs them: METE and glibc's variables are not read."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a setuid program of another user")
    # Not below pytest's folders: the other user must be able to reach it.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        library = shutil.copy(preload, folder)
        program = os.path.join(folder, "secure")
        built = compile_program(
            "secure.c", "-Wl,--no-as-needed", library, f"-Wl,-rpath,{folder}"
        )
        shutil.copy(built, program)
        os.chmod(program, 0o755)
        settings = {"METE": "stats=yes,nonsense=1", "MALLOC_PERTURB_": "85"}
        ordinary = run_native([program], env=settings)
        assert ordinary.stdout == b"ordinary\n" and b"nonsense" in ordinary.stderr, ordinary
        os.chmod(program, 0o4755)
        secure = run_native([program], env=settings, user=NOBODY, group=NOBODY)
        if secure.stdout == b"ordinary\n":
            pytest.skip("this file system ignores the setuid bit")
        assert secure.stdout == b"secure\n" and secure.stderr == b"", secure


def test_allocations_before_constructors_and_after_main(
    compile_library, compile_program, succeeds
):
    """Protects .preinit_array, constructors that run before ours, exit handlers, destructors."""
    library = compile_library("library_early.c")
    succeeds([compile_program("early.c", str(library))])


def test_fork_handlers_of_libraries_may_allocate(compile_library, compile_program, succeeds):
    """Protects libraries whose fork handlers allocate, however early they were registered: glibc
    locks its heap after the last of them, and so must we."""
    library = compile_library("library_early.c")
    succeeds([compile_program("fork_handlers.c", str(library))], timeout=30)


def test_blocks_of_unloaded_libraries(compile_library, compile_program, succeeds):
    """Protects plug-ins: what a library allocated stays good after dlclose, 200 times over."""
    library = compile_library("library_maker.c")
    succeeds([compile_program("unloaded.c", "-ldl"), library])


def test_closefrom_takes_nothing_from_us(compile_program, succeeds, tmp_path):
    """Protects daemons that close what they did not open, and the files that reuse the numbers."""
    succeeds([compile_program("closefrom.c"), tmp_path / "file"])


def test_glibc_second_names_are_ours(compile_program, succeeds):
    """Protects code that asks for __libc_malloc and frees with free, and the other way round."""
    succeeds([compile_program("libc_names.c")])


def test_a_malloc_of_the_program_that_passes_on(compile_program, succeeds):
    """Protects programs that count in a malloc of their own and pass on to __libc_malloc."""
    succeeds([compile_program("wrapped.c")])
