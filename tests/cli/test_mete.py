"""The program mete from outside: its words, where they go, and its status."""

import json
import os
import shutil
import subprocess

import pytest


def call(mete, *words, **options):
    """Runs mete with a clean environment; (status, standard output, standard error)."""
    env = {k: v for k, v in os.environ.items() if k not in ("METE", "LD_PRELOAD")}
    env.update(options.pop("env", {}))
    done = subprocess.run(
        [mete, *words], stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, text=True, errors="replace", env=env, check=False, timeout=60,
        **options,
    )
    return done.returncode, done.stdout, done.stderr


def version_of(source):
    with open(source / "meson.build", encoding="utf-8") as opened:
        return next(line.split("'")[1] for line in opened if "version:" in line)


def test_mete_alone_lists_its_commands_and_fails(mete):
    status, out, err = call(mete)
    assert status == 2
    assert err == ""
    lines = ("run [OPTIONS] CMD...", "report [OPTIONS] [FILE]", "env [OPTIONS]",
             "version [OPTIONS]", "help [COMMAND]")
    for line in lines:
        assert f"mete {line}" in out
    assert out.count("?") == 6


def test_help_lists_the_same_and_succeeds(mete):
    for word in ("help", "--help", "-h"):
        assert call(mete, word) == (0, call(mete)[1], "")


@pytest.mark.parametrize("command", ["run", "help", "env", "report", "version"])
def test_help_of_a_command(mete, command):
    status, out, err = call(mete, "help", command)
    assert (status, err) == (0, "")
    assert out.startswith(f"mete {command} ")
    assert "Options:" in out
    assert call(mete, command, "--help") == (0, out, "")
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "(default\n" not in out


def test_version_is_the_projects(mete, source):
    version = version_of(source)
    assert call(mete, "version") == (0, f"mete {version}\n", "")
    assert call(mete, "--version") == (0, f"mete {version}\n", "")
    status, out, err = call(mete, "version", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == {"schema": 1, "version": version}
    assert call(mete, "version", "--json", "--no-json") == (0, f"mete {version}\n", "")


@pytest.mark.parametrize(
    "words,message",
    [
        ("vresion", "unknown command 'vresion'; did you mean 'version'?"),
        ("hlp", "unknown command 'hlp'; did you mean 'help'?"),
        ("zzz", "unknown command 'zzz'; 'mete help' lists them"),
        ("help nev", "unknown command 'nev'; did you mean 'env'?"),
        ("help env more", "help: 'more' is one word too many; usage: mete help [COMMAND]"),
        ("version 1", "version: '1' is one word too many; usage: mete version [OPTIONS]"),
        ("--verison", "unknown option '--verison'; a command comes first: 'mete help' lists them"),
        ("env --jsn", "env: unknown option '--jsn'; did you mean '--json'?"),
        ("env --no-hlper", "env: unknown option '--no-hlper'; did you mean '--no-helper'?"),
        ("env --drty-keep=1", "env: unknown option '--drty-keep'; did you mean '--dirty-keep'?"),
        ("env --colour", "env: unknown option '--colour'; see 'mete help env'"),
        ("env -x", "env: unknown option '-x'; options are whole words: see 'mete help env'"),
        ("env --json=2", "env: '--json=2': it wants yes or no"),
        ("env --no-json=no", "env: '--no-json' takes no value"),
        ("env --dirty-keep", "env: '--dirty-keep' wants a value: --dirty-keep=SIZE"),
        ("env --dirty-keep=4T",
         "env: '--dirty-keep=SIZE': '4T' wants a size, such as 65536, 64K, 4M or 1G"),
        ("env --perturb 256", "env: '--perturb=NUMBER': '256' is too large"),
        ("env --for=x", "env: '--for=x': the forms are plain, gdb and systemd"),
    ],
)
def test_wrong_usage(mete, words, message):
    assert call(mete, *words.split()) == (2, "", f"mete: {message}\n")


def test_what_cannot_be_written_is_a_failure(mete):
    with open("/dev/full", "w", encoding="utf-8") as full:
        status, _, err = call(mete, "help", stdout=full)
    assert status == 125
    assert err == "mete: cannot write to standard output: No space left on device\n"


def test_a_closed_standard_output_is_a_failure(mete):
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" version >&-', mete],
        stderr=subprocess.PIPE, text=True, check=False, timeout=60,
    )
    assert done.returncode == 125
    assert "cannot write to standard output" in done.stderr


def test_env_names_the_object_beside_the_program(mete, preload):
    assert call(mete, "env") == (0, f"LD_PRELOAD={preload.resolve()}\n", "")


def test_env_keeps_what_is_there(mete, preload):
    ours = preload.resolve()
    given = {"LD_PRELOAD": f"/a.so  b.so:{ours}", "METE": "stats=yes"}
    out = call(mete, "env", "--perturb=7", "--no-helper", env=given)[1]
    assert out == f"LD_PRELOAD={ours}:/a.so:b.so\nMETE=stats=yes,perturb=7,helper=no\n"


def test_env_encodes_texts(mete, preload):
    words = ["--observe", "--recording=/a, b%2C/%p.mete", "--no-arguments"]
    status, out, err = call(mete, "env", *words)
    assert (status, err) == (0, "")
    assert out == (
        f"LD_PRELOAD={preload.resolve()}\n"
        "METE=observe=yes,recording=/a%2C%20b%252C/%p.mete,arguments=no\n"
    )
    status, out, err = call(mete, "env", "--recording=" + "x" * 1024)
    assert (status, out) == (2, "") and err.endswith("xx' is too long\n")


def test_env_writes_for_gdb_and_systemd(mete, preload):
    ours = preload.resolve()
    out = call(mete, "env", "--for=gdb", "--stats")[1]
    assert out == f"set environment LD_PRELOAD {ours}\nset environment METE stats=yes\n"
    out = call(mete, "env", "--for", "systemd", "--dirty-keep=1G")[1]
    assert out == f'Environment="LD_PRELOAD={ours}"\nEnvironment="METE=dirty_keep=1G"\n'


def test_env_escapes_what_systemd_would_expand(mete, preload):
    given = {"LD_PRELOAD": '/a"b\\c%h.so', "METE": 'a b"\\%%$'}
    status, out, err = call(mete, "env", "--for=systemd", "--stats", env=given)
    assert status == 0 and "mete:" not in err
    assert out == (
        f'Environment="LD_PRELOAD={preload.resolve()}:/a\\"b\\\\c%%h.so"\n'
        'Environment="METE=a b\\"\\\\%%%%$,stats=yes"\n'
    )


@pytest.mark.parametrize(
    "form,value,why",
    [
        ("plain", "a b", "holds a space, where 'env $(mete env)' would split it; "
                         "commas separate settings"),
        ("plain", "a\tb", "holds a control character, which --json alone can carry"),
        ("gdb", "a\nb", "holds a control character, which --json alone can carry"),
        ("gdb", "a\\", "ends in a backslash, which gdb would take to continue the line"),
        ("systemd", "a\x7fb", "holds a control character, which --json alone can carry"),
        ("systemd", os.fsdecode(b"\xff"), "is not UTF-8, and systemd would ignore the line"),
    ],
)
def test_env_refuses_what_a_form_cannot_carry(mete, form, value, why):
    assert call(mete, "env", f"--for={form}", env={"METE": value}) == (
        125, "", f"mete: env: METE {why}\n"
    )
    if " " not in value:  # which the loader takes for two objects
        # The loader itself says first that it cannot preload this.
        status, out, err = call(mete, "env", f"--for={form}", env={"LD_PRELOAD": value})
        assert (status, out) == (125, "") and err.endswith(f"mete: env: LD_PRELOAD {why}\n")
    if value.isprintable():
        assert json.loads(call(mete, "env", "--json", env={"METE": value})[1])["METE"] == value


@pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is not installed")
def test_env_for_gdb_is_what_gdb_reads(mete, tmp_path):
    value = "a  b\"'\\%h$HOME#=c"
    (tmp_path / "commands").write_text(
        call(mete, "env", "--for=gdb", env={"METE": value})[1] + "show environment METE\n"
    )
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-x", tmp_path / "commands"],
        stdout=subprocess.PIPE, text=True, check=True, timeout=60,
    )
    assert done.stdout == f"METE = {value}\n"


def test_env_as_json(mete, preload):
    status, out, err = call(mete, "env", "--json", "--stats")
    assert (status, err) == (0, "")
    assert json.loads(out) == {
        "schema": 1, "LD_PRELOAD": str(preload.resolve()), "METE": "stats=yes",
    }


def test_env_that_cannot_be_told_as_json(mete):
    status, out, err = call(mete, "env", "--json", env={"LD_PRELOAD": os.fsdecode(b"/\xff.so")})
    assert (status, out) == (125, "")
    assert err.endswith("mete: cannot be told as JSON, which knows UTF-8 alone\n")


def test_env_makes_a_program_run_on_our_heap(mete, preload):
    line = f'exec env $("{mete}" env) cat /proc/self/maps'
    done = subprocess.run(
        ["sh", "-c", line], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    assert str(preload.resolve()) in done.stdout


def test_env_without_the_object_says_where_it_looked(mete, tmp_path):
    shutil.copy(mete, tmp_path / "mete")
    status, out, err = call(tmp_path / "mete", "env")
    if status != 0:  # an installed mete on this machine may serve
        assert (status, out) == (125, "")
        assert err.startswith(f"mete: cannot find libmete-preload.so, neither in {tmp_path}")


def test_env_in_a_path_that_the_loader_cannot_name(mete, preload, tmp_path):
    folder = tmp_path / "two words"
    folder.mkdir()
    for path in (mete, preload):
        shutil.copy(path, folder)
    status, out, err = call(folder / "mete", "env")
    assert (status, out) == (125, "")
    assert "a space or colon in the path" in err


def test_the_manual_is_made_of_the_same_table(mete):
    manual = call(mete, "help", "--manual")[1]
    for command in ("run", "help", "env", "report", "version"):
        assert f"## mete {command} " in manual
        for line in call(mete, "help", command)[1].splitlines():
            if line.startswith("  -"):
                assert f"*{line.strip().split('  ')[0]}*" in manual
    if shutil.which("scdoc"):
        page = subprocess.run(
            ["scdoc"], input=manual, stdout=subprocess.PIPE, text=True, check=True, timeout=60
        ).stdout
        assert ".TH" in page


def test_mete_needs_no_name_of_its_own(mete):
    done = subprocess.run(
        [], executable=mete, stdout=subprocess.PIPE, check=False, timeout=60
    )
    assert done.returncode == 2
