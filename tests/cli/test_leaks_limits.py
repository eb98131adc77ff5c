"""Where a process has used up what a look for leaks needs, it looks all the same or says why not;
and where all its threads are at work in malloc."""

import json

import pytest

from conftest import call_mete

USED_UP = r"""
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void *wait_on(void *unused)
{
    pause();
    return unused;
}

static void *allocate_on(void *unused)
{
    for (;;) {
        void *volatile block = malloc(100);
        free(block);
    }
    return unused;
}

int main(int argc, char **argv)
{
    const struct rlimit few = {30, strstr(argv[1], "hard") ? 30 : 100};
    const struct rlimit nothing = {0, 0};
    void *volatile lost = malloc(64);
    pthread_t thread;
    lost = NULL;
    if (strstr(argv[1], "thread")) pthread_create(&thread, NULL, wait_on, NULL);
    for (int i = 0; i < 40 && strstr(argv[1], "busy"); i++) {
        pthread_create(&thread, NULL, allocate_on, NULL);
    }
    if (strstr(argv[1], "busy")) usleep(100000);
    if (strstr(argv[1], "memory")) setrlimit(RLIMIT_AS, &nothing);
    if (strstr(argv[1], "descriptors")) {
        setrlimit(RLIMIT_NOFILE, &few);
        while (dup(0) >= 0) continue;
    }
    (void)argc;
    _exit(0);
}
"""


@pytest.fixture(scope="session")
def used_up(compile_words):
    return compile_words("used_up", USED_UP, flags=["-g", "-pthread"])


@pytest.mark.parametrize("what, reason", [
    ("descriptors", None),
    ("descriptors, a thread", None),
    ("hard descriptors", "it has no descriptor left to read /proc with"),
    ("hard descriptors, a thread", "it has no descriptor left to read /proc with"),
    ("memory", "there is no memory for it"),
    ("busy", None),
])
def test_it_looks_or_says_why_not(mete, run, used_up, tmp_path, what, reason):
    done = run("-o", "a.mete", "--fail-on-leak", used_up, what)
    told = json.loads(call_mete(mete, ["report", "--json", "a.mete"], cwd=tmp_path).out)
    assert told["leaks_reason"] == reason
    assert done.status == (125 if reason else 1), done
    if reason is None:
        assert [leak["bytes"] for leak in told["leaks"] if leak["kind"] == "direct"] == [64]
