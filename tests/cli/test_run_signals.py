"""Signals that come at awkward moments: while the program is stopped, and as it ends."""

import signal
import subprocess

import pytest

from conftest import clean_environment, default_signals

STOPPED = r"""
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const pid_t self = getpid();
    if (argc > 1 && fork() == 0) {
        usleep(200000);
        kill(self, atoi(argv[2]));
        _exit(0);
    }
    raise(atoi(argv[1]));
    return 7;
}
"""

GROUP = r"""
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void end(int number)
{
    _exit(number == SIGTERM ? 5 : 6);
}

int main(int argc, char **argv)
{
    if (argc > 1) signal(SIGTERM, end);
    void *volatile block = malloc(100);
    free(block);
    kill(0, SIGTERM);
    (void)argv;
    for (;;) pause();
}
"""


def run_apart(mete, words, cwd):
    """Calls `mete run` in a session of its own: its status, and what it printed."""
    done = subprocess.run([mete, "run", *words], cwd=cwd, env=clean_environment(),
                          capture_output=True, timeout=30, check=False, start_new_session=True,
                          preexec_fn=default_signals)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("then, status", [(signal.SIGCONT, 7), (signal.SIGKILL, 137)])
def test_who_is_continued_or_killed_alone_is_waited_for(mete, compile_words, tmp_path, then,
                                                        status):
    """mete has stopped with the program, and nobody else tells it to go on."""
    program = compile_words("stopped", STOPPED)
    words = [program, str(int(signal.SIGSTOP)), str(int(then))]
    assert run_apart(mete, words, tmp_path)[0] == status


@pytest.mark.parametrize("words, status", [([], 143), (["handled"], 5)])
def test_what_the_group_gets_as_the_program_ends_ends_only_that(mete, compile_words, tmp_path,
                                                                words, status):
    """It may come to mete when the program is gone already."""
    program = compile_words("group", GROUP)
    for _ in range(15):
        found, page = run_apart(mete, [program, *words], tmp_path)
        assert found == status and "100 B  allocated in 1 allocation" in page, (found, page)
