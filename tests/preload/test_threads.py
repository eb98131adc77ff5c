"""Threads, processes and signals: where allocators die."""

import resource

import pytest

MIB = 1 << 20
LIMIT_ALLOWANCE = 32 * MIB


def test_fork_amid_threads(compile_program, succeeds):
    """Protects fork() while eight threads allocate: the child allocates, frees, makes threads,
    trims and forks again. A lock left held would hang it."""
    succeeds([compile_program("fork_threads.c")], timeout=100)


def test_vfork_and_spawn(compile_program, succeeds):
    """Protects shells and libraries whose vfork()ed children allocate in the parent's memory."""
    succeeds([compile_program("vfork.c")])


def test_thousand_threads(compile_program, succeeds):
    """Protects programs with a thousand threads, whose blocks outlive them and change hands."""
    succeeds([compile_program("many_threads.c")])


def test_threads_come_and_go(compile_program, succeeds):
    """Protects servers with a thread per request: memory of dead threads is used again."""
    succeeds([compile_program("thread_churn.c")])


def test_thread_exit_destructors(compile_library, compile_program, succeeds):
    """Protects destructors of thread-specific data that allocate and free in every round, and what
    the loader frees after them."""
    library = compile_library("library_counter.c")
    succeeds([compile_program("thread_end.c", "-ldl"), library])


def test_signal_handlers(compile_program, succeeds):
    """Protects programs whose handlers allocate while the interrupted code does not."""
    succeeds([compile_program("signals.c")])


def run_limited(runner, command, limit):
    """Runs under `ulimit -v`, in bytes."""

    def set_limit():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    return runner(command, preexec_fn=set_limit)


def smallest_limit(runner, command):
    """The smallest address space limit, to a MiB, under which a command succeeds."""
    too_small, enough = 0, 8192  # glibc reserves 64 MiB for a thread, and stacks are 8 MiB
    assert run_limited(runner, command, enough * MIB).status == 0
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if run_limited(runner, command, middle * MIB).status == 0:
            enough = middle
        else:
            too_small = middle
    return enough * MIB


@pytest.mark.parametrize(
    "arguments", [["0", "0"], ["20", "0"], ["200", "0"], ["0", "8"], ["50", "32"]],
    ids=lambda pair: f"{pair[0]} MiB and {pair[1]} threads",
)
def test_address_space_limit(compile_program, run_native, run_preloaded, arguments):
    """Protects programs under `ulimit -v`: what runs with glibc in N bytes runs in N + 32 MiB."""
    command = [compile_program("limited.c"), *arguments]
    limit = smallest_limit(run_native, command) + LIMIT_ALLOWANCE
    result = run_limited(run_preloaded, command, limit)
    assert result.status == 0, (limit // MIB, result)


def test_running_out_of_address_space(compile_program, run_preloaded):
    """Protects the promise of NULL: at every limit a program succeeds or is told, never killed."""
    command = [compile_program("limited.c"), "100", "4"]
    for mib in range(16, 200, 12):
        result = run_limited(run_preloaded, command, mib * MIB)
        assert result.status in (0, 2, 127), (mib, result)  # 127: not even the loader had room
