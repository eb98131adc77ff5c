"""What is said of leaks: by the page, by JSON, by `mete leaks` and by the status; and that "none"
and "nobody looked" are never confused."""

import json
import shutil
import subprocess

import pytest

from conftest import call_mete

LOSER = r"""
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile kept;
__attribute__((noinline)) static void keep(void) { kept = malloc(1000); }
__attribute__((noinline)) static void *behind(void) { return calloc(1, 200); }
__attribute__((noinline)) static void lose(void) { *(void *volatile *)calloc(1, 300) = behind(); }
__attribute__((noinline)) static void clear(void) {
    volatile char space[16384];
    for (size_t i = 0; i < sizeof space; i++) space[i] = 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    keep();
    if (!strstr(what, "none")) lose();
    clear();
    if (strstr(what, "fork")) {
        pid_t child = fork();
        if (child == 0) {
            kept = malloc(5000); /* 1000 bytes that the parent still has are lost here */
            if (strstr(what, "childloses")) lose();
            clear();
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    if (strstr(what, "kill")) raise(SIGKILL);
    if (strstr(what, "raw")) syscall(SYS_exit_group, 0);
    if (strstr(what, "exec")) execl("/bin/true", "true", NULL);
    if (strstr(what, "fail")) return 7;
    return 0;
}
"""


@pytest.fixture(scope="session")
def loser(compile_words):
    """A program that loses a block of 300 bytes and one of 200 behind it, and keeps one of 1000."""
    return compile_words("loser", LOSER, flags=["-g", "-fno-builtin"])


@pytest.fixture()
def answer(mete, run, tmp_path):
    """Runs a command and asks for JSON: answer(word, …) → Done, the object."""

    def ask(*words):
        done = run("-o", "a.mete", *words)
        asked = call_mete(mete, ["report", "--json", "a.mete"], cwd=tmp_path)
        assert asked.status == 0, asked
        return done, json.loads(asked.out)

    return ask


def test_the_page_says_what_was_lost(run, loser):
    page = run("-o", "a.mete", loser).err.decode()
    assert "500 B  lost in 2 blocks that nothing leads to, 1 of them directly\n" in page
    section = page.split("Who lost what nothing leads to any more\n")[1].split("\n\n")[0]
    assert "300 B   60 %  lose" in section and "200 B   40 %  behind" in section, page
    assert page.endswith("next       mete leaks a.mete\n"), page


def test_the_page_says_that_nothing_was(run, loser):
    page = run("-o", "a.mete", loser, "none").err.decode()
    assert "  0 B  lost: something leads to each block that is left\n" in page
    assert "Who lost" not in page and "mete leaks" not in page


def test_json_has_every_stack(answer, loser):
    _, object = answer(loser)
    kinds = [(leak["kind"], leak["blocks"], leak["bytes"]) for leak in object["leaks"]]
    assert kinds == [("direct", 1, 300), ("indirect", 1, 200)]
    names = [[frame["function"] for frame in leak["frames"]] for leak in object["leaks"]]
    assert names[0][:2] == ["lose", "main"] and names[1][:3] == ["behind", "lose", "main"]
    for leak in object["leaks"]:
        site = next(site for site in object["sites"] if site["site"] == leak["site"])
        assert site["frames"] == leak["frames"] and site["live_bytes"] == leak["bytes"]
    assert object["leaks_reason"] is None
    assert object["leaked"] == {"direct": {"blocks": 1, "bytes": 300},
                                "indirect": {"blocks": 1, "bytes": 200}}
    assert (object["reachable"]["blocks"], object["reachable"]["bytes"]) == (1, 1000)
    assert [site["kind"] for site in object["reachable"]["sites"]] == ["reachable"]


def test_none_is_an_empty_list(answer, loser):
    _, object = answer(loser, "none")
    assert object["leaks"] == [] and object["leaks_reason"] is None
    assert object["leaked"]["direct"] == {"blocks": 0, "bytes": 0}


@pytest.mark.parametrize("options,what,reason", [
    (("--leaks=no",), "", "it was not asked for"),
    ((), "kill", "killed by SIGKILL"),
    ((), "raw", "status 0"),
])
def test_where_nobody_looked_there_is_no_list_and_a_reason(answer, loser, options, what, reason):
    done, object = answer(*options, loser, what)
    assert object["leaks"] is None and object["reachable"] is None and object["leaked"] is None
    assert object["leaks_reason"] == reason, object["leaks_reason"]
    page = done.err.decode()
    assert ("lost; nobody looked: " + reason in page) == (not options), page
    assert "something leads to" not in page


def test_what_became_another_program_was_not_looked_at(mete, run, loser, tmp_path):
    assert run("-o", "a.mete", loser, "exec").status == 0
    objects = [json.loads(call_mete(mete, ["report", "--json", path], cwd=tmp_path).out)
               for path in tmp_path.glob("*.mete")]
    answers = {item["process"]["name"]: (item["leaks"], item["leaks_reason"]) for item in objects}
    assert answers == {"loser": (None, "went on as another program"), "true": ([], None)}


def test_a_filter_hides_leaks_as_it_does_sites(mete, run, loser, tmp_path):
    assert run("-o", "a.mete", loser).status == 0
    done = call_mete(mete, ["leaks", "--filter=behind", "a.mete"], cwd=tmp_path)
    assert done.status == 0 and b"200 B in 1 block lost with others" in done.out
    assert b"300 B in 1 block lost" not in done.out


def test_leaks_lists_stacks_in_full(mete, run, loser, tmp_path):
    assert run("-o", "a.mete", loser).status == 0
    out = call_mete(mete, ["leaks", "a.mete"], cwd=tmp_path).out.decode()
    assert "500 B  lost in 2 blocks that nothing leads to, 1 of them directly\n" in out
    direct = out.split("  300 B in 1 block lost, site ")[1].split("\n\n")[0].splitlines()
    assert direct[1].startswith("    > lose  ") and direct[2].startswith("      main  "), out
    assert "  200 B in 1 block lost with others, site " in out
    assert "keep" not in out
    everything = call_mete(mete, ["leaks", "--all", "a.mete"], cwd=tmp_path).out.decode()
    assert "1000 B in 1 block in use, site " in everything and "> keep  " in everything


def test_all_is_listed_at_once_where_it_is_wanted(run, loser):
    page = run("-o", "a.mete", "--leaks=all", loser).err.decode()
    assert "> keep  " in page and "> lose  " in page
    assert page.count("peak, at") == 1


def test_leaks_takes_the_newest_here_and_says_which(mete, run, loser, tmp_path):
    assert run("-o", "a.mete", loser).status == 0
    done = call_mete(mete, ["leaks"], cwd=tmp_path)
    assert done.status == 0 and done.err == b"mete: leaks: a.mete, the newest here\n", done
    assert call_mete(mete, ["leaks", "a.mete"], cwd=tmp_path).out == done.out


def test_what_it_prints_stays_when_the_program_is_gone(mete, run, loser, tmp_path):
    mine = tmp_path / "mine"
    shutil.copy(loser, mine)
    assert run("-o", "a.mete", mine).status == 0
    before = call_mete(mete, ["leaks", "a.mete"], cwd=tmp_path).out
    mine.unlink()
    assert call_mete(mete, ["leaks", "a.mete"], cwd=tmp_path).out == before


def test_what_is_lost_can_be_ranked_like_all_else(mete, run, loser, tmp_path):
    assert run("-o", "a.mete", loser).status == 0
    out = call_mete(mete, ["report", "--sort=lost", "a.mete"], cwd=tmp_path).out.decode()
    assert "Who lost what nothing leads to any more\n      300 B   60 %  lose" in out


# --- the status


@pytest.mark.parametrize("options,what,status", [
    ((), "", 0),
    (("--fail-on-leak",), "", 1),
    (("--fail-on-leak", "--error-status=23"), "", 23),
    (("--fail-on-leak", "--error-status=23"), "none", 0),
    (("--fail-on-leak",), "fail", 7),
    (("--fail-on-leak", "--error-status=23"), "none,fail", 7),
    (("--fail-on-leak",), "none,raw", 125),
    (("--fail-on-leak",), "kill", 137),
    (("--fail-on-leak",), "none,exec", 0),
    (("--fail-on-leak",), "none,fork", 0),
    (("--fail-on-leak",), "none,fork,childloses", 1),
    (("--no-fail-on-leak",), "", 0),
])
def test_the_status_tells_where_that_is_asked_for(run, loser, options, what, status):
    done = run("-o", "a.mete", *options, loser, what)
    assert done.status == status, done
    if status == 125:
        reason = "it did not end by exit(), _exit() or quick_exit()"
        assert any(f"nobody looked for leaks in 'loser' (pid" in line and reason in line
                   for line in done.said()), done


def test_a_program_that_cannot_be_observed_cannot_be_judged(run, compile_words):
    static = compile_words("static", "int main(void) { return 0; }", flags=["-static"])
    done = run("--fail-on-leak", "--anyway", static)
    assert done.status == 125, done
    assert any("nobody looked for leaks: there is no recording" in line for line in done.said())


@pytest.mark.parametrize("words,message", [
    (["--leaks=some", "true"], "'--leaks=some': it is one of lost, all and no"),
    (["--leaks=no", "--fail-on-leak", "true"], "leave '--leaks=no' out"),
])
def test_wrong_words_are_refused(run, words, message):
    done = run(*words)
    assert done.status == 2 and message in done.said()[0], done


# --- children


def test_a_child_answers_for_what_it_allocated_itself(mete, run, loser, tmp_path):
    done = run("-o", "a.mete", loser, "fork,childloses")
    assert done.status == 0, done
    objects = [json.loads(call_mete(mete, ["report", "--json", path], cwd=tmp_path).out)
               for path in sorted(tmp_path.glob("a*.mete"))]
    child = next(item for item in objects if item["process"]["inherits_from_pid"])
    parent = next(item for item in objects if not item["process"]["inherits_from_pid"])
    for item in (child, parent):
        assert item["leaked"] == {"direct": {"blocks": 1, "bytes": 300},
                                  "indirect": {"blocks": 1, "bytes": 200}}
    inherited = child["reachable"]["inherited"]
    assert inherited == {"blocks": 3, "bytes": 1500}
    assert ", lost 500 B" in done.err.decode(), done


def test_valgrind_is_of_the_same_opinion(mete, run, loser, tmp_path):
    """About the blocks of a program that both can look at."""
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    done = subprocess.run(["valgrind", "--leak-check=full", loser], capture_output=True, text=True,
                          check=False, timeout=60)
    assert "definitely lost: 300 bytes in 1 blocks" in done.stderr, done.stderr
    assert "indirectly lost: 200 bytes in 1 blocks" in done.stderr
    assert run("-o", "a.mete", loser).status == 0
    out = call_mete(mete, ["leaks", "a.mete"], cwd=tmp_path).out.decode()
    assert "500 B  lost in 2 blocks" in out
