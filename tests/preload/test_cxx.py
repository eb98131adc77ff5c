"""C++: the operators stay with the program's C++ library, which calls our malloc, or with the
allocator that the program is linked with."""

import pathlib
import signal
import subprocess

import pytest


@pytest.fixture(params=["libstdc++", "libc++"])
def cxx(request):
    """The compiler and flags of each C++ library."""
    if request.param == "libc++":
        request.getfixturevalue("needs_libcxx")
        return {"compiler": "clang++", "flags": ["-stdlib=libc++", "-std=c++17"]}
    return {"compiler": "g++", "flags": ["-std=c++17", "-Wno-alloc-size-larger-than"]}


def compiled(compile_program, cxx, name, *flags):
    """A C++ program against one of the libraries."""
    return compile_program(name, *cxx["flags"], *flags, compiler=cxx["compiler"])


def test_operators_are_not_exported(preload):
    """Protects replaced operators: were ours first, those of a shared library would be missed."""
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", preload], capture_output=True, text=True, check=True
    ).stdout
    names = [line.split()[-1] for line in symbols.splitlines()]
    assert "malloc" in names
    assert not [name for name in names if name.startswith("_Z")]


def counting_source(source):
    """The replaced operators."""
    return str(source / "tests/preload/programs/cxx_counting.cpp")


def test_operators_replaced_in_the_program(compile_program, cxx, succeeds, source):
    """Protects programs with their own operator new: all forms of it reach theirs."""
    succeeds([compiled(compile_program, cxx, "cxx_replaced.cpp", counting_source(source))])


def test_operators_replaced_in_a_library(compile_program, cxx, succeeds):
    """Protects programs whose operators are replaced in a shared library, the case that preloads
    with operators of their own fail."""
    library = compiled(compile_program, cxx, "cxx_counting.cpp", "-shared", "-fPIC")
    succeeds([compiled(compile_program, cxx, "cxx_replaced.cpp", str(library))])


def test_new_handler_bad_alloc_and_alignment(compile_program, cxx, succeeds):
    """Protects std::bad_alloc, the new-handler's loop, nothrow and aligned new."""
    succeeds([compiled(compile_program, cxx, "cxx_memory.cpp")])


def test_exceptions_and_thread_locals(compile_program, cxx, succeeds):
    """Protects unwinding through frames that own memory, and destructors at a thread's end."""
    succeeds([compiled(compile_program, cxx, "cxx_threads.cpp")])


def test_cxx_plugin_of_a_c_program(compile_program, cxx, succeeds):
    """Protects a C++ library that is loaded RTLD_LOCAL into a program without C++: blocks pass
    between the two in both directions."""
    plugin = compiled(compile_program, cxx, "cxx_plugin.cpp", "-shared", "-fPIC")
    succeeds([compile_program("cxx_host.c", "-ldl"), plugin])


@pytest.fixture(params=["libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"])
def neighbour(request):
    """Another allocator, to be linked with a program."""
    found = list(pathlib.Path("/usr/lib").glob(f"*/{request.param}"))
    if not found:
        pytest.skip(f"{request.param} is not installed")
    return found[0]


@pytest.mark.parametrize("perturb", ["0", "85"], ids=["plain", "perturbed"])
def test_operators_of_another_allocator(compile_program, succeeds, neighbour, perturb):
    """Protects programs linked with another allocator, whose operator new stays its own: what it
    gave may be freed, resized and measured by malloc's family."""
    program = compile_program(
        "cxx_neighbour.cpp", "-std=c++17", "-Wl,--no-as-needed", str(neighbour)
    )
    name = neighbour.name.split(".")[0]
    succeeds([program, name], env={"MALLOC_PERTURB_": perturb})


@pytest.mark.parametrize("verb, arguments", [("free", []), ("realloc", ["100"])])
def test_a_neighbour_that_passes_calls_on_knows_no_more(
    compile_library, compile_program, run_preloaded, verb, arguments
):
    """Protects the panic of a foreign pointer where a library has a free() that comes back to us,
    and no realloc()."""
    relay = str(compile_library("library_relay.c"))
    result = run_preloaded([compile_program("stranger.c", "-Wl,--no-as-needed", relay), *arguments])
    assert result.status == -signal.SIGABRT, result
    pointer = result.stdout.decode().strip()
    assert result.stderr.decode() == f"mete: {verb}({pointer}): not from this heap\n", result
