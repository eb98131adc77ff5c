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
    ((), "raw", "it did not end by exit(): status 0"),
])
def test_where_nobody_looked_there_is_no_list_and_a_reason(answer, mete, loser, tmp_path, options,
                                                           what, reason):
    done, object = answer(*options, loser, what)
    assert object["leaks"] is None and object["reachable"] is None and object["leaked"] is None
    assert object["leaks_reason"] == reason, object["leaks_reason"]
    page = done.err.decode()
    assert ("lost; nobody looked: " + reason in page) == (not options), page
    assert "something leads to" not in page
    ranked = call_mete(mete, ["report", "--sort=lost", "a.mete"], cwd=tmp_path).out
    assert b"Nothing to rank by lost: nobody looked" in ranked
    made = call_mete(mete, ["leaks", "--gen-suppressions", "a.mete"], cwd=tmp_path)
    assert (made.status, made.out) == (125, b"") and made.said() == [
        f"mete: leaks: nobody looked for what is lost: {reason}"]


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


# --- what is not to be told

LSAN = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));
extern void __lsan_ignore_object(const void *) __attribute__((weak));
extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
extern void __lsan_do_leak_check(void) __attribute__((weak));
const char *__lsan_default_suppressions(void) { return "leak:by_program\n"; }

#define NOINLINE __attribute__((noinline))
static int has_lost(void)
{
    return __lsan_do_recoverable_leak_check ? __lsan_do_recoverable_leak_check() : -1;
}
NOINLINE static void clear(void)
{
    volatile char space[16384];
    for (size_t i = 0; i < sizeof space; i++) space[i] = 0;
}
NOINLINE static void aside(void) { memset(malloc(99), 1, 99); free(malloc(98)); }
NOINLINE void by_program(void) { memset(malloc(100), 1, 100); }
NOINLINE void by_file(void) { memset(malloc(200), 1, 200); }
NOINLINE void ignored(void)
{
    void *volatile *block = calloc(1, 300);
    block[0] = calloc(1, 301);
    if (__lsan_ignore_object) __lsan_ignore_object((void *)block);
}
NOINLINE void disabled(void)
{
    if (!__lsan_disable) return;
    __lsan_disable();
    __lsan_disable();
    __lsan_enable();
    memset(malloc(400), 1, 400);
    __lsan_enable();
}
NOINLINE void freed_again(void)
{
    void *block = malloc(500);
    if (__lsan_ignore_object) __lsan_ignore_object(block);
    free(block);
    memset(malloc(500), 1, 500); /* at the same place, and lost */
}
NOINLINE void lost(void) { memset(malloc(600), 1, 600); }

int main(int argc, char **argv)
{
    int before = has_lost();
    aside();
    by_program();
    by_file();
    ignored();
    disabled();
    freed_again();
    clear();
    int after = has_lost();
    if (argc > 1) __lsan_do_leak_check();
    lost();
    clear();
    return dprintf(1, "%d %d\n", before, after) < 0;
}
"""


@pytest.fixture(scope="session")
def lsan(compile_words):
    """A program that was written for LeakSanitizer."""
    return compile_words("lsan", LSAN, flags=["-g", "-fno-builtin", "-rdynamic"])


def leaked_by(object):
    """Lost blocks by function: the bytes."""
    return {leak["frames"][0]["function"]: leak["bytes"] for leak in object["leaks"]}


def test_what_was_written_for_leaksanitizer_works_unchanged(answer, lsan):
    done, object = answer(lsan)
    assert (done.status, done.out) == (0, b"0 1\n"), done
    assert leaked_by(object) == {"aside": 99, "by_file": 200, "freed_again": 500, "lost": 600}
    assert object["suppressed"] == {"blocks": 1, "bytes": 100}
    assert object["reachable"]["ignored"] == {"blocks": 2, "bytes": 700}


def test_a_check_before_the_end_is_the_last(answer, lsan):
    done, object = answer(lsan, "now")
    assert (done.status, done.out) == (0, b"0 1\n"), done
    assert "lost" not in leaked_by(object) and "by_file" in leaked_by(object)


def test_without_mete_it_runs_as_ever(lsan):
    done = subprocess.run([lsan], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"-1 -1\n"), done


def test_under_a_heap_that_nobody_observes_there_is_nothing_to_say(lsan, preload):
    done = subprocess.run([lsan, "now"], capture_output=True, check=False,
                          env={"LD_PRELOAD": str(preload)})
    assert (done.returncode, done.stdout) == (0, b"0 0\n"), done


SUPPRESSIONS = """
# what is known
leak:by_file
#mete: max=0
leak:freed_again
leak:nobody*
{
  of another kind
  Memcheck:Leak
  match-leak-kinds: definite
  fun:malloc
  fun:aside
  ...
  fun:main
}
"""


def test_files_hide_what_they_list_and_what_is_of_no_use_is_named(mete, run, lsan, tmp_path):
    (tmp_path / "a.supp").write_text(SUPPRESSIONS, encoding="utf-8")
    done = run("-o", "a.mete", "--suppressions=a.supp", "--fail-on-leak", lsan)
    assert done.status == 1, done
    page = done.err.decode()
    assert "1.07 KiB  lost in 2 blocks" in page and "by_file" not in page.split("Who lost")[1]
    said = [line for line in done.said() if "suppression" in line]
    assert said == [
        "mete: run: suppression 'leak:freed_again' (a.supp:5) is for 0 blocks at most, and there"
        " are 1",
        "mete: run: suppression 'leak:nobody*' (a.supp:6) met nothing",
    ], done
    again = call_mete(mete, ["report", "--json", "--suppressions=a.supp", "a.mete"], cwd=tmp_path)
    assert set(leaked_by(json.loads(again.out))) == {"freed_again", "lost"}
    plain = call_mete(mete, ["report", "--json", "a.mete"], cwd=tmp_path)
    assert len(leaked_by(json.loads(plain.out))) == 4  # the recording has all of them


def test_the_lines_that_it_makes_hide_everything(mete, run, lsan, tmp_path):
    assert run("-o", "a.mete", lsan).status == 0
    made = call_mete(mete, ["leaks", "--gen-suppressions", "a.mete"], cwd=tmp_path)
    assert made.status == 0 and b"   fun:lost\n   fun:main\n}\n" in made.out, made
    (tmp_path / "a.supp").write_bytes(made.out)
    done = run("-o", "a.mete", "--suppressions=a.supp", "--fail-on-leak", lsan)
    assert done.status == 0, done
    assert not [line for line in done.said() if "suppression" in line]
    assert b"0 B  lost but for " in done.err and b"nothing leads" not in done.err


def test_those_lines_hide_nothing_that_is_new(mete, run, loser, tmp_path):
    """What is lost elsewhere under the same function is to be told."""
    assert run("-o", "a.mete", loser, "fork").status == 0
    made = call_mete(mete, ["leaks", "--gen-suppressions", "a.mete"], cwd=tmp_path)
    assert made.out.count(b"{\n") == 1 and b"fun:lose\n" in made.out, made
    text = made.out.replace(b"fun:lose\n", b"fun:lose_of_another\n")
    (tmp_path / "a.supp").write_bytes(text)
    done = run("-o", "b.mete", "--suppressions=a.supp", "--fail-on-leak", loser)
    assert done.status == 1, done


@pytest.mark.parametrize("text", [
    "leak:^lose$\n",
    "{\n a\n Memcheck:Leak\n match-leak-kinds: definite\n fun:calloc\n fun:lose\n fun:main\n}\n",
    "{\n a\n Memcheck:Leak\n fun:calloc\n fun:lose\n ...\n fun:(below main)\n}\n",
])
def test_who_knows_of_a_block_knows_what_is_lost_with_it(run, loser, tmp_path, text):
    (tmp_path / "a.supp").write_text(text, encoding="utf-8")
    done = run("-o", "a.mete", "--suppressions=a.supp", "--fail-on-leak", loser)
    assert done.status == 0 and b"lost but for 2 suppressed blocks" in done.err, done


PLUGIN = r"""
#include <stdlib.h>
#include <string.h>
__attribute__((constructor)) static void begin(void) { memset(malloc(777), 1, 777); }
"""
HOST = r"""
#include <dlfcn.h>
#include <string.h>
int main(int argc, char **argv)
{
    char space[16384];
    void *handle = dlopen(argv[argc - 1], RTLD_NOW);
    memset(space, 0, sizeof space);
    __asm__ volatile("" : : "r"(space) : "memory");
    return handle == NULL;
}
"""


def test_metes_own_list_hides_nothing_of_a_plugins(run, compile_words):
    """Its constructor runs below dlopen(), which has leaks of its own that are known."""
    plugin = compile_words("plugin", PLUGIN, flags=["-shared", "-fPIC", "-g", "-fno-builtin"])
    host = compile_words("host", HOST, flags=["-g"])
    done = run("-o", "a.mete", "--fail-on-leak", host, plugin)
    assert done.status == 1 and b"777 B  lost" in done.err, done


def test_children_that_nobody_looked_at_are_named(run, compile_words):
    killed = compile_words("killed", LOSER.replace("_exit(0);", "raise(SIGKILL);"), flags=["-g"])
    done = run("-o", "a.mete", "--fail-on-leak", killed, "none fork")
    assert done.status == 0, done
    (line,) = [line for line in done.said() if "nobody looked" in line]
    assert "it did not end by exit()" in line


def test_lsan_options_name_a_file_too(run, lsan, tmp_path):
    (tmp_path / "a.supp").write_text("leak:main", encoding="utf-8")
    options = f"exitcode=3:print_suppressions=0:suppressions={tmp_path}/a.supp:verbosity=1"
    env = {"LSAN_OPTIONS": options}
    assert run("-o", "a.mete", "--fail-on-leak", lsan, env=env).status == 0
    gone = {"LSAN_OPTIONS": "suppressions=/nowhere"}
    done = run("-o", "a.mete", "true", env=gone)
    assert done.status == 0, done
    assert "mete: run: suppressions '/nowhere': No such file or directory" in done.said()


@pytest.mark.parametrize("text,message", [
    ("nonsense\n", "line 1: is neither 'leak:PATTERN' nor a block in braces"),
    ("{\n  a\n", "line 2: has no closing brace"),
])
def test_a_file_that_is_none_is_refused_before_anything_runs(run, tmp_path, text, message):
    (tmp_path / "a.supp").write_text(text, encoding="utf-8")
    done = run("--suppressions=a.supp", "touch", "ran")
    assert done.status == 2 and message in done.said()[0], done
    assert not (tmp_path / "ran").exists()
