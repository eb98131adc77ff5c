"""What `make install` leaves: programs built against it, preloaded, linked and static."""

import os
import subprocess

import pytest

SILENT = "int main(void)\n{\n    return 0;\n}\n"
VERSION = """#include <mete/version.h>
#include <stdio.h>
int main(void)
{
    puts(mete_version());
    return 0;
}
"""
TRACKING = """#include <mete/stats.h>
int main(void)
{
    static char memory[100];
    mete_track(memory, sizeof memory, "a thing");
    return 0;
}
"""
CLASH = VERSION.replace("int main", "int settings_parse = 7, settings_table;\nint main")


def run(*command, env=None, cwd=None):
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **(env or {})}, cwd=cwd, check=False, timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def installed(build, tmp_path_factory):
    """The prefix below a DESTDIR."""
    destination = tmp_path_factory.mktemp("destination")
    run("meson", "install", "-C", build, "--no-rebuild", "--quiet", "--destdir", destination)
    return next(destination.rglob("bin/mete")).parent.parent


@pytest.fixture(scope="module")
def libraries(installed):
    return next(installed.rglob("libmete-preload.so")).parent


def flags(installed, libraries, package):
    """What pkg-config says, as if the prefix stood where it is."""
    env = {"PKG_CONFIG_LIBDIR": str(libraries / "pkgconfig")}
    out = run("pkg-config", f"--define-variable=prefix={installed}", "--cflags", "--libs", package,
              env=env)
    return out.split()


def compile_program(folder, text, *options):
    (folder / "program.c").write_text(text, encoding="utf-8")
    run("cc", "-o", "program", "program.c", *options, cwd=folder)
    return folder / "program"


def needed(program):
    return [line for line in run("readelf", "-d", program).splitlines() if "NEEDED" in line]


def test_everything_is_there(installed, libraries):
    headers = ("include/mete/version.h", "include/mete/stats.h")
    for path in ("bin/mete", *headers, "share/man/man1/mete.1"):
        assert (installed / path).is_file(), path
    for name in ("libmete.so", "libmete.so.0", "libmete.a", "libmete-preload.so"):
        assert (libraries / name).is_file(), name


def test_a_linked_program_stays_linked(installed, libraries, tmp_path):
    options = flags(installed, libraries, "mete-preload")
    for order in (options, ["-Wl,--as-needed", *options]):
        program = compile_program(tmp_path, SILENT, *order)
        assert any("libmete-preload.so" in line for line in needed(program))
        run(program, env={"LD_LIBRARY_PATH": str(libraries)})


def test_what_tracks_memory_needs_no_library(installed, libraries, tmp_path):
    """And finds mete where it is."""
    program = compile_program(tmp_path, TRACKING, f"-I{installed / 'include'}")
    assert not any("mete" in line for line in needed(program))
    assert run(program) == ""
    recording = tmp_path / "tracking.mete"
    run(installed / "bin" / "mete", "run", "-o", recording, program,
        env={"LD_LIBRARY_PATH": str(libraries)})
    assert "[a thing]" in run(installed / "bin" / "mete", "report", "--full", recording)
    static = compile_program(tmp_path, TRACKING, f"-I{installed / 'include'}", "-static")
    assert run(static) == ""
    linked = compile_program(tmp_path, TRACKING, f"-I{installed / 'include'}",
                             *flags(installed, libraries, "mete-preload"))
    assert run(linked, env={"LD_LIBRARY_PATH": str(libraries)}) == ""


def test_the_linked_malloc_is_ours(installed, libraries, tmp_path):
    program = compile_program(tmp_path, SILENT.replace(
        "int main", "#include <stdlib.h>\nvoid *volatile block;\nint main"
    ).replace("return 0", "return !(block = malloc(1))"), *flags(
        installed, libraries, "mete-preload"))
    env = {"LD_LIBRARY_PATH": str(libraries), "LD_DEBUG": "bindings"}
    out = run(program, env=env)
    bound = [line for line in out.splitlines() if f"{program} [0]" in line and "`malloc'" in line]
    assert bound and all("libmete-preload.so" in line for line in bound)


def test_the_library_links_shared(installed, libraries, tmp_path, build):
    program = compile_program(tmp_path, VERSION, *flags(installed, libraries, "mete"))
    assert any("libmete.so.0" in line for line in needed(program))
    out = run(program, env={"LD_LIBRARY_PATH": str(libraries)})
    assert f"mete {out}" == run(build / "mete", "version")


def test_the_library_links_static_and_clashes_with_nothing(
    installed, libraries, tmp_path, build
):
    program = compile_program(
        tmp_path, CLASH, f"-I{installed}/include", "-static", libraries / "libmete.a"
    )
    assert f"mete {run(program)}" == run(build / "mete", "version")


def test_the_header_is_c17_and_cxx17(installed, tmp_path):
    (tmp_path / "program.c").write_text(VERSION, encoding="utf-8")
    include = f"-I{installed}/include"
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic-errors", "-fsyntax-only"]
    run("cc", "-std=c17", *strict, include, tmp_path / "program.c")
    run("c++", "-x", "c++", "-std=c++17", *strict, include, tmp_path / "program.c")


def test_the_installed_mete_finds_its_object(installed, libraries):
    out = run(installed / "bin/mete", "env", env={"LD_PRELOAD": "", "METE": ""})
    assert out == f"LD_PRELOAD={libraries.resolve() / 'libmete-preload.so'}\n"
