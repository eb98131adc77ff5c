"""What `mete run` says at the end of what it could not see: of the command itself and of children
that became programs in which nothing can be preloaded."""

import collections
import concurrent.futures
import contextlib
import os
import pty
import re
import shutil
import signal

import pytest

from conftest import Done, call_mete

# What it became is told where it did not come and go too fast to be seen.
BECAME = re.compile(
    r"not everything was seen: '\w+' became (another program, which left no recording: it "
    r"allocated nothing, is linked statically, setuid or 32-bit, is built with a sanitizer, has no "
    r"LD_PRELOAD and METE in its environment \('env -i', sudo\), or runs as another user or in "
    r"another root \(chroot\)|'/\S+', in an environment "
    r"without LD_PRELOAD and METE, as 'env -i' and sudo make it): put 'mete run' behind that$")


UNSEEN = ("is linked statically, setuid or 32-bit, is built with a sanitizer, has no LD_PRELOAD "
          "and METE in its environment ('env -i', sudo), or runs as another user or in another "
          "root (chroot)")
UNSEEN_ONE = "started left no recording: it " + UNSEEN


@pytest.fixture()
def static(compile_words):
    """A static program."""
    return compile_words("static", "int main(void) { return 0; }\n", ["-static"])


@pytest.fixture()
def waiting(compile_words):
    """A static program that ends when its input does."""
    text = "#include <unistd.h>\nint main(void) { char c; return read(0, &c, 1) == 1; }\n"
    return compile_words("waiting", text, ["-static"])


@pytest.fixture()
def run_and_let_end(mete, memory, tmp_path):
    """The same as `run`; gives mete the time to see what a program that reads its input became."""

    def run_words(*words):
        words = ["-c", "sleep 1 | \"$@\"", "sh", mete, "run", *words]
        return call_mete("/bin/sh", words, cwd=tmp_path, env={"XDG_RUNTIME_DIR": memory})

    return run_words


@pytest.mark.parametrize("end,status", [("true", 0), ("sh -c 'kill $$'", 128 + signal.SIGTERM)])
def test_an_environment_emptied_on_the_way(run, end, status):
    done = run("sh", "-c", f"exec env -i {end}")
    assert done.status == status
    assert BECAME.search(done.said()[0]), done


def test_an_exec_of_a_static_program_is_not_blamed_on_the_environment(run_and_let_end, waiting):
    done = run_and_let_end("sh", "-c", f"exec {waiting}")
    assert done.said() == [
        f"mete: not everything was seen: 'sh' became '{waiting}', which is linked statically: "
        "nothing can be preloaded into it"], done


def test_a_child_that_becomes_a_static_program(run_and_let_end, waiting):
    done = run_and_let_end("bash", "-c", f"{waiting}; exit 3")
    (line,) = done.said()
    assert re.fullmatch(rf"mete: not everything was seen: 'bash' \(pid \d+\) became '{waiting}', "
                        "which is linked statically: nothing can be preloaded into it", line), done
    assert done.status == 3


def test_a_child_that_is_gone_before_anybody_looks(run, static):
    """One line, whatever else is known; which of the two depends on who is faster."""
    done = run("bash", "-c", f"{static}; exit 3")
    (line,) = done.said()
    assert re.search(rf"'bash' \(pid \d+\) became ('{static}', which is linked statically|another "
                     "program, which left no recording: it allocated nothing, is linked static)",
                     line), done


def test_children_of_whom_there_is_no_trace(run, static, tmp_path):
    """dash makes them by vfork, so that they count with it until they exec."""
    script = tmp_path / "wrap.sh"
    script.write_text(f"#!/bin/dash\n{static}\nexit 4\n")
    script.chmod(0o755)
    done = run(script)
    assert done.status == 4
    assert done.said() == [f"mete: not everything was seen: 1 program that was {UNSEEN_ONE}"], done
    done = run("--no-children", script)
    assert (done.status, done.said()) == (4, []), done


def test_children_without_a_trace_are_counted_beside_others(run, static):
    """Those that left recordings do not hide them; nor is one missed that was never there."""
    done = run("sh", "-c", f"{static}; perl -e 1; {static}; exit 3")
    assert (done.status, done.said()) == (3, [
        "mete: not everything was seen: 2 programs that were started left no recording: each " +
        UNSEEN]), done
    script = "perl -e 1; /not/there; not-there-either; (perl -e 1); sh -c 'exec true'; exit 3"
    done = run("sh", "-c", script)
    assert (done.status, done.said()) == (3, []), done
    spawned = "import subprocess as s; [s.run('true', shell=i > 1) for i in range(3)]"
    done = run("/usr/bin/python3", "-c", spawned)
    assert (done.status, done.said()) == (0, []), done


@pytest.mark.parametrize("compiler,flags", [
    ("gcc", ["-fsanitize=address"]), ("gcc", ["-fsanitize=thread"]), ("gcc", ["-fsanitize=leak"]),
    ("clang", ["-fsanitize=address"]), ("clang", ["-fsanitize=thread"]),
])
def test_a_child_with_a_sanitizer_runs_as_without_mete(run, compile_words, compiler, flags):
    """It would end at once, or find nothing; and it keeps its name, arguments and environment."""
    program = compile_words("sanitized", SANITIZED, flags, compiler)
    done = run("sh", "-c", f"{program} 'a b' ''; exit $?", env={"LD_PRELOAD": ""})
    assert done.status == 3, done
    name, first, second, preload = done.out.decode().splitlines()
    assert (name, first, second) == ("sanitized", "a b", "")
    # clang links AddressSanitizer in, whose malloc comes before ours and bears it.
    assert preload == "" or (compiler, flags) == ("clang", ["-fsanitize=address"])
    (line,) = done.said()
    assert f"1 program that was {UNSEEN_ONE}" in line or ") is built with " in line, done


def test_a_sanitizer_under_a_loader_that_was_named_runs_too(run, compile_words):
    """The loader has shifted the arguments by then."""
    program = compile_words("sanitized", SANITIZED, ["-fsanitize=address"])
    loader = "/lib64/ld-linux-x86-64.so.2"
    done = run("sh", "-c", f"{loader} {program} a b; exit $?", env={"LD_PRELOAD": ""})
    assert done.status == 3 and done.out.decode().splitlines()[1:] == ["a", "b", ""], done


STARTER = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv)
{
    char *own = getenv("LD_PRELOAD");
    if (argc < 3 || !own) return 99;
    if (argv[1][0] == 't') { // two variables, of which the last one holds
        char *words[64] = {"LD_PRELOAD=/no/such.so"};
        for (size_t i = 0; i < 62 && environ[i]; i++) words[i + 1] = environ[i];
        execve(argv[2], argv + 2, words);
        return 98;
    }
    int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (argv[1][0] == 'd') {
        unlink(argv[2]);
    } else {
        int copy = memfd_create("copy", MFD_CLOEXEC);
        while (sendfile(copy, fd, NULL, 1 << 20) > 0);
        fd = copy;
    }
    fexecve(fd, argv + 2, environ);
    return 97;
}
"""


@pytest.mark.parametrize("how", ["deleted", "memory", "two"])
def test_a_sanitizer_in_an_odd_place_runs_too(run, compile_words, tmp_path, how):
    """In a file that was deleted or never had a name; in an environment with LD_PRELOAD twice."""
    starter = compile_words("starter", STARTER)
    program = tmp_path / "sanitized"
    shutil.copy(compile_words("sanitized", SANITIZED, ["-fsanitize=address"]), program)
    done = run("sh", "-c", f"{starter} {how} {program} a b; exit $?")
    assert done.status == 3, done
    # Of the two variables the one that does not hold stays as it is.
    preload = "/no/such.so" if how == "two" else ""
    assert done.out.decode().splitlines()[1:] == ["a", "b", preload], done


def test_a_loader_with_options_of_its_own_is_left_alone(run, compile_words):
    """They are not known any more when we look, and the program would become another one."""
    program = compile_words("sanitized", SANITIZED, ["-fsanitize=address"])
    loader = "/lib64/ld-linux-x86-64.so.2 --inhibit-cache --library-path /lib/x86_64-linux-gnu"
    done = run("sh", "-c", f"{loader} {program} a b; exit $?")
    assert done.status == 1 and b"runtime does not come first" in done.err, done


def test_a_pid_that_was_given_again_hides_nobody(run, static, tmp_path):
    """Two programs of one pid, one after the other, are two."""
    last = "/proc/sys/kernel/ns_last_pid"
    if not os.access(last, os.W_OK):
        pytest.skip("no pid can be given again here")
    script = (f"perl -e 1 & p=$!; wait; echo $((p - 1)) >{last} || exit 77; "
              f"perl -e 1 & [ $! = $p ] || exit 77; wait; {static}; exit 3")
    for _ in range(10):  # others may be faster
        for path in tmp_path.glob("*.mete"):
            path.unlink()
        done = run("sh", "-c", script)
        if done.status != 77:
            break
    assert (done.status, done.said()) == (3, [
        f"mete: not everything was seen: 1 program that was {UNSEEN_ONE}"]), done
    # Both forks of one pid left a recording each, and both perls.
    pids = collections.Counter(path.name.split(".")[1] for path in tmp_path.glob("*.mete"))
    assert sorted(pids.values()) == [1, 4], done


def test_a_sanitizer_finds_what_it_finds(run, compile_words):
    text = ("#include <stdlib.h>\n"
            "int main(void) { char *volatile p = malloc(9); free(p); free(p); }\n")
    program = compile_words("twice", text, ["-fsanitize=address"])
    done = run("sh", "-c", f"{program}; exit $?")
    assert b"attempting double-free" in done.err, done


def test_what_can_be_observed_and_allocates_nothing_is_not_missed(run_and_let_end, compile_words):
    text = "#include <unistd.h>\nint main(void) { char c; return read(0, &c, 1) == 1; }\n"
    program = compile_words("idle", text)
    done = run_and_let_end("bash", "-c", f"{program}; exit 3")
    assert (done.status, done.said()) == (3, []), done


SANITIZED = """
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    char name[32] = "";
    FILE *comm = fopen("/proc/self/comm", "r");
    if (!comm || !fgets(name, sizeof name, comm) || argc != 3) return 1;
    const char *preload = getenv("LD_PRELOAD");
    printf("%s%s\\n%s\\n%s\\n", name, argv[1], argv[2], preload ? preload : "");
    fclose(comm);
    return 3;
}
"""


def test_a_child_in_an_empty_environment_that_outlives_the_command(run):
    sleep = os.path.realpath(shutil.which("sleep"))
    done = run("sh", "-c", "(exec env -i sleep 60 >&- 2>&- <&-) & echo $!; until "
               f"[ \"$(readlink /proc/$!/exe)\" = '{sleep}' ]; do sleep 0.05; done")
    pid = int(done.out)
    try:
        (line,) = [line for line in done.said() if f"(pid {pid}) became" in line]
        assert line == (
            f"mete: not everything was seen: 'env' (pid {pid}) became '{sleep}', which still runs, "
            "in an environment without LD_PRELOAD and METE, as 'env -i' and sudo make it: put "
            "'mete run' behind that"), done
    finally:
        os.kill(pid, signal.SIGKILL)


def test_what_was_not_seen_and_the_summary_are_one_page(run, static, compile_words, tmp_path):
    """However much there is to say, in 80 columns."""
    allots = compile_words("allots", ALLOTS_ITSELF)
    for i in range(8):
        os.link(static, tmp_path / f"static-{i}")
        shutil.copy(allots, tmp_path / f"allots-{i}")
    script = "for i in 0 1 2 3 4 5 6 7; do ./static-$i; ./allots-$i; perl -e '$x = 1'; done"
    for end in ("exit 3", "exec ./static-0"):
        words = ("-o", "a.mete", "bash", "-c", f"{script}; {end}")
        done = run(*words)
        on_terminal = Done(*shown_on_a_terminal(run, *words))
        for page in (done, on_terminal):
            lines = page.err.decode().splitlines()
            assert len(lines) <= 40 and max(map(len, lines)) <= 80, page
            assert lines[-1].startswith("next "), page
        assert on_terminal.err.startswith(b"\n"), "the summary begins after an empty line"
        assert "not everything was seen" in done.said()[0], done
        assert re.search(r"\d (more|lines more)", " ".join(done.said())), done


def shown_on_a_terminal(run, *words):
    """The status, the output and what a terminal shows, without its colours."""
    master, slave = pty.openpty()

    def read_all():
        seen = b""
        with contextlib.suppress(OSError):  # at its end
            while more := os.read(master, 4096):
                seen += more
        return seen

    with concurrent.futures.ThreadPoolExecutor() as pool:
        seen = pool.submit(read_all)
        try:
            done = run(*words, stderr=slave)
        finally:
            os.close(slave)
        seen = re.sub(rb"\x1b\[\d*m|\r", b"", seen.result())
    os.close(master)
    return done.status, done.out, seen


ALLOTS_ITSELF = """
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
void *je_malloc(unsigned long size)
{
    return mmap(0, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
int main(int argc, char **argv)
{
    if (argc > 1 && fork() != 0) return argv && wait(0) < 0;
    return je_malloc(4096) == MAP_FAILED;
}
"""


def test_a_child_of_which_nothing_is_seen_since_it_has_an_allocator_inside(
        run, compile_words, tmp_path):
    """As rustc is started by rustup."""
    program = compile_words("allots", ALLOTS_ITSELF)
    done = run("sh", "-c", f"{program}; exit 3")
    (line,) = done.said()
    assert done.status == 3 and re.fullmatch(
        rf"mete: not everything was seen: '{program}' \(pid \d+\) has jemalloc linked in under "
        "names of its own: what that allots is not seen", line), done
    assert run("--no-children", "sh", "-c", f"{program}; exit 3").said() == []
    # Started as the command it is told before, too, and here once, however it is typed.
    (tmp_path / "link").symlink_to(program)
    for typed in (program, "./link"):
        told = [line for line in run(typed).said() if "not everything was seen" in line]
        assert len(told) == 1 and "has jemalloc linked in" in told[0], told
    # Many of it, and its forks, are one line; of many others not all are told.
    script = f"{program}; {program} fork; {program} fork"
    assert len(run("sh", "-c", f"{script}; exit 3").said()) == 1
    for i in range(5):
        shutil.copy(program, tmp_path / f"allots-{i}")
    said = run("sh", "-c", "for i in 0 1 2 3 4; do ./allots-$i; done; exit 3").said()
    assert len(said) == 4 and said[-1].endswith(": 2 more processes like these"), said
