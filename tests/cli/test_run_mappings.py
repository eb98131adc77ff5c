"""What the program asks of the kernel by libc's names is passed on unchanged, and counted."""

import json
import re
import subprocess

from conftest import call_mete

SOURCE = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void map_and_move(void)
{
    char *place = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) exit(1);
    place[8191] = 1;
    place = mremap(place, 8192, 65536, MREMAP_MAYMOVE);
    if (place == MAP_FAILED || place[8191] != 1) exit(2);
    void *wish = mmap(0, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mremap(place, 65536, 65536, MREMAP_MAYMOVE | MREMAP_FIXED, wish) != wish) exit(3);
    if (((char *)wish)[8191] != 1 || munmap(wish, 65536) != 0) exit(4);
}

int main(void)
{
    for (int i = 0; i < 3; i++) map_and_move();
    errno = 0;
    if (mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) return 5;
    if (errno != EINVAL || munmap((void *)1, 1) != -1) return 6;
    void *end = sbrk(0);
    if (sbrk(4096) != end || (char *)sbrk(0) != (char *)end + 4096) return 7;
    if (brk(end) != 0 || sbrk(0) != end) return 8;
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 10; i++) {
            munmap(mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
        }
        _exit(0);
    }
    waitpid(child, 0, 0);
    free(malloc(10));
    return 0;
}
"""


def mappings_of(mete, path, cwd):
    done = call_mete(mete, ["report", "--json", path], cwd=cwd)
    answer = json.loads(done.out)
    rows = {row["call"]: (row["calls"], row["bytes"]) for row in answer["mappings"]}
    return answer["process"]["pid"], rows


def test_calls_are_passed_on_and_counted_by_process(mete, run, tmp_path):
    (tmp_path / "maps.c").write_text(SOURCE, encoding="utf-8")
    subprocess.run(["cc", "-O1", "maps.c", "-o", "maps"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "maps"], check=False).returncode == 0
    done = run("-o", "a.mete", tmp_path / "maps")
    assert done.status == 0, done
    pid, parent = mappings_of(mete, "a.mete", tmp_path)
    assert re.search(rf"pid {pid}\b", done.err.decode())
    assert parent == {
        "mmap": (6, 3 * (8192 + 65536)),
        "munmap": (3, 3 * 65536),
        "mremap": (6, 6 * 65536),
        "brk": (2, 4096),
    }
    child = mappings_of(mete, "a.2.mete", tmp_path)[1]
    assert child["mmap"] == child["munmap"] == (10, 40960)
    assert child["brk"] == child["mremap"] == (0, 0)
