"""`mete run` is not noticed: status, output, descriptors, signals and the terminal are the
program's own."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from conftest import call_mete, clean_environment, default_signals

DEADLINE = 30


def test_alone_it_tells_how_it_is_called(run):
    done = run()
    assert done.status == 2 and done.out == b""
    assert done.said() == ["mete: run: which program? usage: mete run [OPTIONS] CMD..."]
    assert run("--").status == 2


@pytest.mark.parametrize(
    "words,message",
    [
        ("--otput=x true", "unknown option '--otput'; did you mean '--output'?"),
        ("--no-childen true", "unknown option '--no-childen'; did you mean '--no-children'?"),
        ("--children=few true", "'--children=few': it wants yes or no"),
        ("--observe true", "unknown option '--observe'; see 'mete help run'"),
        ("-x true", "unknown option '-x'; options are whole words: see 'mete help run'"),
        ("-o - true", "'-o -': standard output is the program's own; name a file"),
        ("-o a%q true", "'-o a%q': '%q' is none of %p, %n, %h and %%"),
        ("-o a% true", "'-o a%': '%' is none of %p, %n, %h and %%"),
        ("--output= true", "'-o': the name is empty"),
        ("-o", "'-o' wants a value: -o, --output=NAME"),
        ("--error-status=+1 true", "'--error-status=+1': it wants a number from 0 to 255"),
        ("--error-status=256 true", "'--error-status=256': it wants a number from 0 to 255"),
        ("--dirty-keep=much true", "'--dirty-keep=SIZE': 'much' wants a size, such as 65536, "
                                   "64K, 4M or 1G"),
    ],
)
def test_wrong_usage(run, words, message):
    done = run(*words.split())
    assert (done.status, done.out) == (2, b"")
    assert done.said() == [f"mete: run: {message}"]


def test_options_end_at_the_program(run):
    assert run("echo", "--output", "-o").out == b"--output -o\n"
    assert run("--stats", "--no-stats", "--", "echo", "--", "x").out == b"-- x\n"


def test_every_option_can_be_said(run):
    words = ["-oa.mete", "--summary=/dev/null", "--no-symbols", "--children=no", "--skip=a",
             "--skip", "b", "--full", "--no-anyway", "--error-status=0",
             "--dirty-keep=4M", "--no-arguments", "--", "true"]
    assert run(*words).status == 0


@pytest.mark.parametrize("status", [0, 1, 7, 125, 255])
def test_the_status_is_the_programs(run, status):
    assert run("sh", "-c", f"exit {status}").status == status


@pytest.mark.parametrize("name", ["SEGV", "KILL", "TERM", "INT", "PIPE", "ABRT"])
def test_death_by_a_signal_is_128_and_its_number(run, name):
    done = run("sh", "-c", f"ulimit -c 0; kill -{name} $$")
    assert done.status == 128 + getattr(signal, f"SIG{name}"), done


def test_a_program_that_is_not_there(run):
    done = run("sleeep", "1")
    assert done.status == 127
    assert done.said() == ["mete: run: 'sleeep': No such file or directory; did you mean 'sleep'?"]
    done = run("/nonexistent/x")
    assert done.status == 127
    assert done.said() == ["mete: run: '/nonexistent/x': No such file or directory"]
    assert run("").status == 127


def test_a_program_that_lies_here_but_is_looked_for_elsewhere(run, tmp_path):
    (tmp_path / "here").write_text("#!/bin/sh\n")
    (tmp_path / "here").chmod(0o755)
    assert "did you mean './here'?" in run("here").said()[0]
    assert "did you mean './here'?" in run("./hree").said()[0]


def test_an_empty_name_means_no_other(run):
    done = run("")
    assert (done.status, done.said()) == (127, ["mete: run: the program's name is empty"])


def test_a_program_that_cannot_be_run(run, tmp_path):
    (tmp_path / "plain").write_text("text")
    done = run("./plain")
    assert (done.status, done.said()) == (126, ["mete: run: './plain': Permission denied"])
    assert run(".").status == 126
    (tmp_path / "lost").write_text("#!/nonexistent/interpreter\n")
    (tmp_path / "lost").chmod(0o755)
    done = run("./lost")
    assert done.status == 127
    assert "names an interpreter or a loader that is not there" in done.said()[0]


def test_a_script_without_a_first_line_runs_as_env_runs_it(run, tmp_path):
    (tmp_path / "plain").write_text("echo plain $1")
    (tmp_path / "plain").chmod(0o755)
    assert run("./plain", "x").out == b"plain x\n"


def test_output_and_input_pass_through_byte_for_byte(run, tmp_path):
    everything = bytes(range(256)) * 1000
    done = run("cat", stdin=None, input=everything)
    assert done.out == everything
    program = "import os; os.write(2, bytes(range(256)))"
    done = run("--summary=/dev/null", sys.executable, "-c", program)
    assert (done.out, done.err) == (b"", bytes(range(256)))


def test_descriptors_are_the_programs_own(run, tmp_path):
    """Protects programs that are handed descriptors, or count on some being closed."""
    listing = "ls -l /proc/self/fd | sed 's/.* \\([0-9]*\\) -> /\\1 /' | grep -v /proc"
    with open(tmp_path / "nine", "w", encoding="utf-8") as nine:
        native = subprocess.run(
            ["sh", "-c", listing], stdin=subprocess.DEVNULL, capture_output=True,
            pass_fds=[nine.fileno()], check=True,
        ).stdout
        ours = run("sh", "-c", listing, pass_fds=[nine.fileno()]).out
    shape = re.compile(rb"(pipe|socket):\[\d+\]")
    assert shape.sub(b"", ours) == shape.sub(b"", native)


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_descriptors_stay_closed_and_nothing_takes_their_place(mete, tmp_path, closed):
    script = f"""
    "$0" run --summary=summary sh -c 'for fd in 0 1 2; do
        test -e /proc/$$/fd/$fd && echo open $fd >> seen; done; exit 3' {closed}
    """
    done = subprocess.run(["sh", "-c", script, mete], cwd=tmp_path, check=False, timeout=60,
                          stdin=subprocess.DEVNULL, env=clean_environment())
    assert done.returncode == 3
    seen = (tmp_path / "seen").read_text() if (tmp_path / "seen").exists() else ""
    for fd in "012":
        assert (f"open {fd}" in seen) == (f"{fd}<&-" not in closed and f"{fd}>&-" not in closed)
    assert "\nrecording  " in (tmp_path / "summary").read_text()


def test_the_programs_environment_has_two_words_more(run, preload):
    done = run("env", env={"A": "b c"})
    names = {line.split("=")[0] for line in done.out.decode().splitlines()}
    assert {"A", "LD_PRELOAD", "METE"} <= names
    assert f"LD_PRELOAD={preload.resolve()}\n".encode() in done.out


def test_what_the_environment_says_already_is_kept(run, preload):
    done = run("--stats", "env", env={"METE": "perturb=7"})
    line = next(line for line in done.out.decode().splitlines() if line.startswith("METE="))
    assert line.startswith("METE=perturb=7,stats=yes,observe=yes,leaks=yes,recording=/dev/shm/mete")
    assert line.endswith("/%p.%i.mete")


def test_the_summary_goes_where_it_is_told(run, tmp_path):
    done = run("--summary=there", "true")
    assert (done.out, done.err) == (b"", b"")
    assert (tmp_path / "there").read_text().startswith("true\nstatus 0 after ")
    assert run("--summary=-", "true").out.startswith(b"true\nstatus 0 after ")
    done = run("--summary=/nonexistent/x", "touch", "ran")
    assert done.status == 125 and not (tmp_path / "ran").exists()
    assert done.said() == ["mete: run: cannot write '/nonexistent/x': No such file or directory"]
    assert run("--summary=/dev/full", "true").status == 125
    assert run("--summary=/dev/full", "sh", "-c", "exit 7").status == 7


def test_nobody_who_listens_does_not_change_the_status(mete, tmp_path):
    """Protects `mete run … 2>&1 | head -1`."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = call_mete(mete, ["run", "sh", "-c", "exit 5"], stderr=write_end, cwd=tmp_path)
    os.close(write_end)
    assert done.status == 5


def test_an_error_status_is_for_those_who_ask(run):
    unseen = ["sh", "-c", "exec env -i sh -c 'exit '$0"]
    assert run(*unseen, "0").status == 0
    assert run("--error-status=9", *unseen, "0").status == 9
    assert run("--error-status=9", *unseen, "3").status == 3
    assert run("--error-status=9", "true").status == 0


# --- signals

STATES = ("SigBlk", "SigIgn", "SigCgt")


def signal_state(text):
    """The masks of a /proc/self/status."""
    return [line for line in text.decode().splitlines() if line.startswith(STATES)]


@pytest.mark.parametrize(
    "ignored", [(), ("SIGINT", "SIGHUP"), ("SIGCHLD", "SIGPIPE", "SIGTSTP", "SIGXFSZ")]
)
def test_mask_and_dispositions_are_those_that_mete_got(mete, tmp_path, ignored):
    def prepare():
        default_signals()
        for name in ignored:
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2, signal.SIGTERM})

    def state(*words):
        return signal_state(subprocess.run(
            [*words, "cat", "/proc/self/status"], stdout=subprocess.PIPE, check=True,
            stderr=subprocess.DEVNULL, preexec_fn=prepare, timeout=60, cwd=tmp_path,
        ).stdout)

    assert state(mete, "run") == state()


def test_an_ignored_sigchld_does_not_hide_the_status(mete, tmp_path):
    def prepare():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    done = subprocess.run([mete, "run", "sh", "-c", "exit 6"], preexec_fn=prepare, check=False,
                          stderr=subprocess.DEVNULL, timeout=60, cwd=tmp_path)
    assert done.returncode == 6


def test_children_that_mete_inherited_are_not_waited_for(mete, tmp_path):
    """Protects `sleep 60 & exec mete run …`, where the shell's child becomes mete's."""
    begin = time.monotonic()
    script = 'sleep 60 >&- 2>&- & (sleep 0.2; exit 3) & exec "$0" run sh -c "sleep 0.5; exit 4"'
    done = subprocess.run(["sh", "-c", script, mete], check=False, timeout=60, cwd=tmp_path,
                          stderr=subprocess.DEVNULL)
    assert done.returncode == 4 and time.monotonic() - begin < DEADLINE


class Running:
    """A `mete run` that is talked to while it runs."""

    def __init__(self, mete, words, **options):
        self.process = subprocess.Popen(
            [mete, "run", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=clean_environment(), preexec_fn=default_signals, **options,
        )

    def read_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
        assert ready, "it says nothing"
        return self.process.stdout.readline().strip().decode()

    def end(self):
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1", "USR2", "INT", "QUIT", "ALRM"])
def test_what_others_send_to_mete_reaches_the_program(mete, tmp_path, name):
    script = f"trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
    running = Running(mete, ["sh", "-c", script], cwd=tmp_path)
    assert running.read_line() == "ready"
    running.process.send_signal(getattr(signal, f"SIG{name}"))
    assert running.end()[:2] == (9, b"got\n")


def test_a_program_that_dies_of_what_was_handed_on(mete, tmp_path):
    running = Running(mete, ["sh", "-c", "echo ready; exec sleep 60"], cwd=tmp_path)
    assert running.read_line() == "ready"
    running.process.terminate()
    assert running.end()[0] == 128 + signal.SIGTERM


def test_what_the_program_sends_to_its_parent_does_not_come_back(mete, tmp_path):
    """Protects servers that tell their parent when they are ready."""
    script = "trap 'echo back' USR1; kill -USR1 $PPID; sleep 0.3; exit 8"
    running = Running(mete, ["sh", "-c", script], cwd=tmp_path)
    assert running.end()[:2] == (8, b"")


def test_a_program_killed_outright(mete, tmp_path):
    running = Running(mete, ["sh", "-c", "echo $$; exec sleep 60"], cwd=tmp_path)
    os.kill(int(running.read_line()), signal.SIGKILL)
    assert running.end()[0] == 128 + signal.SIGKILL


# --- the terminal


class Terminal:
    """A shell, or a program, on a terminal of its own."""

    def __init__(self, words, cwd):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            default_signals()
            os.chdir(cwd)
            os.execvpe(words[0], [str(word) for word in words], clean_environment(PS1="$ "))

    def write(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, pattern):
        """Reads on until the pattern is seen; what was seen up to its end is forgotten."""
        deadline = time.monotonic() + DEADLINE
        while True:
            match = re.search(pattern.encode(), self.seen)
            if match:
                self.seen = self.seen[match.end():]
                return match
            ready, _, _ = select.select([self.fd], [], [], deadline - time.monotonic())
            assert ready, f"no {pattern!r} in {self.seen!r}"
            try:
                self.seen += os.read(self.fd, 65536)
            except OSError:
                pytest.fail(f"no {pattern!r} in {self.seen!r} at the end")

    def end(self):
        """The status of what ran here."""
        try:
            while os.read(self.fd, 65536):
                pass
        except OSError:
            pass
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status


def test_the_program_is_in_our_process_group_and_in_the_foreground(mete, tmp_path):
    groups = "os.getpgid(os.getppid()) == os.getpgrp() == os.tcgetpgrp(0)"
    program = f"import os; print('same', {groups})"
    terminal = Terminal([mete, "run", sys.executable, "-c", program], tmp_path)
    terminal.wait_for("same True")
    assert terminal.end() == 0


@pytest.mark.parametrize("key,number", [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)])
def test_keys_that_end_programs_end_the_program(mete, tmp_path, key, number):
    words = ["sh", "-c", "ulimit -c 0; echo read''y; exec sleep 60"]
    terminal = Terminal([mete, "run", *words], tmp_path)
    terminal.wait_for("ready")
    time.sleep(0.2)
    terminal.write(key)
    terminal.wait_for("recording  ")
    assert terminal.end() == 128 + number


def test_ctrl_c_reaches_the_program_once_and_it_may_go_on(mete, tmp_path):
    script = ("trap 'n=$((n+1)); echo interrupt $n' INT; echo read''y; "
              "for i in 1 2 3 4 5; do sleep 0.2; done; echo still $n; exit 4")
    terminal = Terminal([mete, "run", "bash", "-c", script], tmp_path)
    terminal.wait_for("ready")
    terminal.write("\x03")
    terminal.wait_for("interrupt 1")
    terminal.wait_for("still 1")
    assert terminal.end() == 4


COUNTING = """import select, signal, sys
for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM):
    signal.signal(one, lambda number, _: print(signal.Signals(number).name, flush=True))
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.05)[0]: pass  # while it reads, no handler runs
"""


def counting(mete, folder):
    words = [mete, "run", "--summary=/dev/null", sys.executable, "-u", "-c", COUNTING]
    return subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            start_new_session=True, env=clean_environment(), text=True,
                            preexec_fn=default_signals)


def test_a_signal_to_the_group_reaches_the_program_once_as_one_to_mete_does(mete, tmp_path):
    """As `kill %1`, or who ends a job by its group, sends it; the program has it already."""
    with counting(mete, tmp_path) as running:
        assert running.stdout.readline() == "ready\n"
        for _ in range(3):
            for send in (os.killpg, os.kill):
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
                    send(running.pid, number)
                    assert running.stdout.readline() == number.name + "\n"
                # Two of one kind at once are one; and if one came again, it comes now.
                time.sleep(0.2)
        running.stdin.close()
        assert running.wait() == 0


def test_after_a_key_what_is_sent_to_mete_still_reaches_the_program(mete, tmp_path):
    terminal = Terminal([mete, "run", sys.executable, "-u", "-c", COUNTING], tmp_path)
    terminal.wait_for("ready")
    for _ in range(3):
        terminal.write("\x03")
        terminal.wait_for("SIGINT")
        time.sleep(0.2)  # two of one kind at once are one
        os.kill(terminal.pid, signal.SIGINT)
        terminal.wait_for("SIGINT")
        time.sleep(0.2)
    terminal.write("\x04")
    assert terminal.end() == 0


def test_a_signal_to_all_of_a_name_reaches_the_program(mete, tmp_path):
    """The witness in our group is found by nothing of ours."""
    with counting(mete, tmp_path) as running:
        assert running.stdout.readline() == "ready\n"
        for found in (["-x", "mete"], ["-f", "mete run --summary=/dev/null"]):
            subprocess.run(["pkill", "-TERM", "-s", str(running.pid), *found], check=True)
            assert running.stdout.readline() == "SIGTERM\n"
            time.sleep(0.2)
        running.stdin.close()
        assert running.wait() == 0


def test_a_stopped_program_stops_mete_and_is_continued_with_it(mete, tmp_path):
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path)
    terminal.wait_for(r"\$ ")
    (tmp_path / "script").write_text(
        "import signal, time\n"
        "count = []\n"
        "signal.signal(signal.SIGCONT, lambda *_: (count.append(1), print('continued')))\n"
        "print('ready')\n"
        "line = input()\n"
        "time.sleep(0.3)\n"
        "print('got', line, 'after', len(count))\n"
        "raise SystemExit(5)\n"
    )
    terminal.write(f"'{mete}' run '{sys.executable}' script\n")
    terminal.wait_for("ready")
    time.sleep(0.2)  # a signal between that and its reading would be told after the reading
    terminal.write("\x1a")
    terminal.wait_for("Stopped")
    terminal.write("jobs\n")
    terminal.wait_for(r"Stopped .* run .* script")
    terminal.write("fg\n")
    terminal.wait_for("continued")
    terminal.write("word\n")
    terminal.wait_for("got word after 1")
    terminal.write("echo status $?\n")
    terminal.wait_for("status 5")
    terminal.write("exit\n")
    terminal.end()


def test_a_program_that_is_killed_while_it_is_stopped_has_ended(mete, tmp_path):
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path)
    terminal.wait_for(r"\$ ")
    terminal.write(f"'{mete}' run perl -e '$|=1; print \"pid $$\\n\"; sleep 60'\n")
    pid = int(terminal.wait_for(r"\rpid (\d+)\r").group(1))
    terminal.write("\x1a")
    terminal.wait_for("Stopped")
    terminal.write(f"kill -KILL {pid}; fg\n")
    terminal.wait_for("killed by SIGKILL")


def process_state(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as opened:
        return opened.read().rpartition(")")[2].split()[0]


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_program_stopped_alone_takes_mete_along_and_comes_back_with_it(mete, tmp_path):
    running = Running(mete, ["sh", "-c", "echo $$; sleep 0.2; exit 3"], cwd=tmp_path)
    program = int(running.read_line())
    os.kill(program, signal.SIGSTOP)
    wait_until(lambda: process_state(running.process.pid) == "T")
    assert process_state(program) == "T"
    running.process.send_signal(signal.SIGCONT)
    assert running.end()[0] == 3


def test_a_program_that_allocates_nothing_has_no_rate(run):
    assert b"\n        0 B  allocated in 0 allocations\n" in run("true").err


def test_the_summary_begins_on_a_line_of_its_own(mete, tmp_path):
    terminal = Terminal([mete, "run", "sh", "-c", "printf unfinished"], tmp_path)
    terminal.wait_for("unfinished\r\n(\x1b\\[1m)?[a-z]*sh")
    assert terminal.end() == 0


def test_a_hang_up_reaches_the_program(mete, tmp_path):
    words = ["sh", "-c", "trap 'echo hung > hung; exit' HUP; echo read''y; "
                         "while :; do sleep 0.05; done"]
    terminal = Terminal([mete, "run", *words], tmp_path)
    terminal.wait_for("ready")
    os.close(terminal.fd)
    wait_until(lambda: (tmp_path / "hung").exists())
    os.waitpid(terminal.pid, 0)
