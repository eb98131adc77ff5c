"""What is said of several processes: which of them is the main program, and how each ended."""

import json
import re
import shutil
import subprocess

import pytest

from conftest import call_mete
from recording import unwrapped


def head_of(done):
    """The summary's first lines, without what was said before."""
    lines = unwrapped(done.err.decode()).splitlines()
    lines = [line for line in lines if not line.startswith("mete: ")]
    return lines[:lines.index("")]


def children_of(done):
    """How the children ended, by what is in the last column, and their programs."""
    lines = done.err.decode().splitlines()
    begin = next(i for i, line in enumerate(lines) if line.endswith("  Children")) + 1
    return lines[begin:lines.index("", begin)]


@pytest.fixture(name="static")
def static_program(compile_words):
    return compile_words("static", "int main(void) { return 0; }\n", ["-static"])


def test_a_mere_fork_of_the_shell_is_not_the_main_program(run, static):
    """Its peak contains all that it inherited."""
    done = run("sh", "-c", f"({static}); true")
    first, second = head_of(done)
    assert first.startswith(("sh -c ", "dash -c ")), done
    assert re.fullmatch(r"status 0 after .*, pid \d+", second), done


FORKING = """
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char *volatile kept = malloc(100000);
    if (fork() == 0) {
        for (int i = 0; i < atoi(argv[1]); i++) { char *volatile more = malloc(1000); more[0] = 1; }
        _exit(0);
    }
    wait(NULL);
    return argc != 2 || !kept;
}
"""


@pytest.mark.parametrize("count,is_child", [(1, False), (1000, True)])
def test_what_a_fork_allocated_itself_decides(run, compile_words, count, is_child):
    program = compile_words("sh", FORKING)  # called like one that only starts others
    head = head_of(run(program, count))
    assert head[0] == f"sh {count}"
    assert ("forked from" in head[1]) == is_child, head


FORKING_WITH_THREADS = """
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static int rounds = 1;
static __attribute__((noinline)) void *take(void *size)
{
    void *volatile block = NULL;
    for (int i = 0; i < rounds; i++) { free(block); block = malloc((size_t)size); }
    return block;
}
int main(void)
{
    void *kept;
    pthread_t threads[8];
    pthread_create(threads, NULL, take, (void *)10000000);
    pthread_join(*threads, &kept);
    if (fork() == 0) {
        rounds = 1000;
        for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, take, (void *)100);
        for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
        _exit(0);
    }
    wait(NULL);
    return !kept;
}
"""


def test_what_a_fork_with_threads_inherited_is_not_its_own(run, compile_words):
    """One large block is inherited at the stack where the child's threads take many small ones."""
    head = head_of(run(compile_words("sh", FORKING_WITH_THREADS, ["-pthread"])))
    assert head[0] == "sh" and "forked from" not in head[1], head


def test_a_report_from_the_recordings_alone_is_the_same(mete, run, tmp_path):
    """Also of another run beside, whose processes have nothing to do with these."""
    big = "perl -e 'my @a = (1..99999)'"
    script = f"{big}; sh -c 'perl -e 1; exit 2'; (perl -e 1); exec sh -c 'perl -e 2; exit 6'"
    run("sh", "-c", f"{big}; perl -e 3; exit 1")
    words = ("--summary=summary.txt", "sh", "-c", script)
    done = run(*words)
    assert done.status == 6
    summary = (tmp_path / "summary.txt").read_text(encoding="utf-8")
    main = re.search(r"^recording  (\S+)", summary, re.M).group(1)
    assert main.startswith("perl.") and "the largest of " in summary and "Children" in summary

    def report(*words):
        done = call_mete(mete, ["report", *words], cwd=tmp_path, env={"LC_ALL": "C.UTF-8"})
        assert done.status == 0, done
        return done

    assert report(main).out.decode() == summary
    newest = report()  # the last that was written is a child
    assert newest.out.decode() == summary
    assert newest.said() == [f"mete: report: {main}, the newest here"]
    # A copy is nobody's child.
    shutil.copy(next(tmp_path.glob("sh.*.mete")), tmp_path / "copy.mete")
    assert report(main).out.decode() == summary
    (tmp_path / "copy.mete").unlink()
    alone = report("--no-children", main).out.decode()
    assert "Children" not in alone and "the largest of" not in alone
    children = json.loads(report("--json", main).out)["children"]
    assert len(children) == summary[summary.index("Children"):].count(" ended\n") + len(
        re.findall(r"(?:status 6|another program)$", summary[summary.index("Children"):], re.M))
    # One of them is told with what it was and started, and not with who started it.
    told = [report(path.name).out.decode() for path in tmp_path.glob("perl.*.mete")]
    told = [text for text in told if text.startswith("perl -e 1\n")]
    assert len(told) == 2 and not any("the largest of" in text for text in told)


def test_an_orphan_is_of_its_run(mete, run, tmp_path):
    """Whoever made it is gone before it begins, so that it does not know its parent."""
    done = run("-o", "a.mete", "sh", "-c", "(perl -e '$x = 1' &); sleep 0.7; exit 3")
    assert "perl " in done.err.decode() or done.err.decode().startswith("perl "), done
    told = call_mete(mete, ["report"], cwd=tmp_path, env={"LC_ALL": "C.UTF-8"})
    again = call_mete(mete, ["report", "a.mete"], cwd=tmp_path, env={"LC_ALL": "C.UTF-8"})
    assert told.out == again.out
    pids = set(re.findall(r"^ +\S+ \S+ +\S+ \S+ +\d+ +\S+ (\d+)", done.err.decode(), re.M))
    assert pids <= set(re.findall(r" (\d+)\b", told.out.decode())) and len(pids) >= 2, done


def test_relations_without_a_run(mete, preload, tmp_path):
    """Recordings that no mete finished are told apart by who started whom."""
    env = {"LD_PRELOAD": preload, "METE": f"observe=yes,recording={tmp_path}/%n.%p.%i.mete"}
    for _ in range(2):
        done = subprocess.run(["sh", "-c", "perl -e 1; sh -c 'perl -e 2'; exit 3"], check=False,
                              env={"PATH": "/usr/bin:/bin", **env}, timeout=60)
        assert done.returncode == 3
    commands = []
    for path in tmp_path.glob("sh.*.mete"):
        told = json.loads(call_mete(mete, ["report", "--json", path]).out)
        if told["process"]["command"][-1].startswith("perl -e 1"):
            commands.append(told)
            assert 2 <= len(told["children"]) <= 4, told["children"]
            assert all(child["process"]["program"] for child in told["children"])
    assert len([told for told in commands if told["process"]["inherits_from_pid"] is None]) == 2


def test_what_a_command_became_has_lived_since_then(run, mete, tmp_path):
    """Its rate and its graph are of its own time."""
    done = run("-o", "a.mete", "sh", "-c", "sleep 1; exec perl -e 'my @a = (1 .. 9999)'")
    told = json.loads(call_mete(mete, ["report", "--json", "a.mete"], cwd=tmp_path).out)
    assert told["process"]["image"] == 2 and told["process"]["duration_ms"] < 900, done
    assert told["timeline"][-1]["time_ms"] == told["process"]["duration_ms"]


def test_a_child_that_was_killed_is_so_in_a_report_too(mete, run, tmp_path):
    done = run("-o", "a.mete", "sh", "-c", "perl -e 'my $x = 1; kill KILL => $$'; exit 3")
    told = head_of(done)[-2]
    assert told.startswith("ended without a word, or was killed; last heard of at "), done
    done = call_mete(mete, ["report", "a.mete"], cwd=tmp_path)
    assert told in done.out.decode().splitlines() and " left at the end in " in done.out.decode()
    told = json.loads(call_mete(mete, ["report", "--json", "a.mete"], cwd=tmp_path).out)
    assert told["process"]["state"] == "running" and told["process"]["is_over"]
    assert [child["is_starter"] for child in told["children"]].count(True) == 1


def test_without_children_the_command_is_told_of(run):
    done = run("--children=no", "sh", "-c", "perl -e 'my @a = (1..99999)'; exit 5")
    assert done.status == 5
    (line,) = done.said()
    assert re.fullmatch(r"mete: run: 'sh' \(pid \d+\) ended with status 5; the largest process "
                        "that it started follows", line), done
    done = run("--children=no", "sh", "-c", "perl -e 'my @a = (1..99999)'; kill -TERM $$")
    assert "'sh'" in done.said()[0] and "was killed by SIGTERM; " in done.said()[0], done


def test_without_children_one_that_goes_on_leaves_nothing(run, tmp_path, memory):
    """However large it is: only what has ended can be shown."""
    for name in ("a", "b"):
        done = run("-o", f"{name}.mete", "--children=no", "sh", "-c",
                   "sleep 2 >&- 2>&- <&- & sleep 0.2")
        assert done.said() == [] and "sh -c" in head_of(done)[0], done
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mete", "b.mete"]
    assert not list(memory.iterdir())


SILENT = """
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char *volatile block = malloc(5);
    for (int i = 1; i < argc; i++) {
        if (fork() == 0) {
            block = malloc(6);
            if (argv[i][0] == 'k') raise(SIGKILL);
            syscall(SYS_exit_group, 0);
        }
        wait(NULL);
    }
    if (argc == 1) syscall(SYS_exit_group, 3);
    return block == NULL;
}
"""


def test_nobody_is_called_killed_of_whom_that_is_not_known(run, compile_words):
    """A system call of its own ends a child as silently as a kill."""
    done = run(compile_words("silent", SILENT), "exit", "kill")
    first, second = children_of(done)
    assert first.endswith(" ended or killed") and second.endswith(" ended or killed"), done
    assert head_of(done)[1].startswith("status 0 after "), done


def test_of_the_command_itself_it_is_known(run, compile_words):
    head = head_of(run(compile_words("silent", SILENT)))
    assert head[1].startswith("status 3 after "), head


TWICE = """
#include <dlfcn.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    void *second = dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW);
    void *(*allocate)(size_t) = second ? (void *(*)(size_t))dlsym(second, "malloc") : NULL;
    return argc != 2 || !allocate || !allocate(100000);
}
"""


def test_of_two_images_at_once_both_ended_so(run, preload, compile_words):
    """Two of us in one process, as when an emulator runs a program in its own."""
    done = run(compile_words("twice", TWICE), preload)
    head = head_of(done)
    assert head[1].startswith("status 0 after ") and head[1].endswith(" (image 2)"), done
    assert [line.split()[-1] for line in children_of(done)] == ["ended"], done
