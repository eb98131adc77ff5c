"""What cannot be observed is said at once, with what to do."""

import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile

import pytest

from conftest import call_mete
from recording import unwrapped

NOBODY = 65534
MAIN = "int main(void) { return 3; }\n"
ALLOCATOR = """
#include <stddef.h>
static char pool[1 << 20];
static size_t used;
void *malloc(size_t size) { used += (size + 15) & ~(size_t)15; return pool + used - size; }
void free(void *block) { (void)block; }
int mallctl(void) { return 0; }
int main(void) { return 3; }
"""


@pytest.fixture()
def refused(run):
    """A command is refused before it starts, and runs with --anyway: refused(words, reason, mend);
    what it says with --anyway, when it ends with `status`."""

    def check(words, reason, mend, status=3, subject=None, **options):
        done = run(*words, **options)
        assert (done.status, done.out) == (125, b""), done
        lines = done.said()
        assert len(lines) == 2, done
        assert lines[0].startswith(f"mete: run: '{subject or words[-1]}' cannot be observed: it ")
        assert reason in lines[0]
        assert mend in lines[1] and lines[1].endswith("; 'mete run --anyway' runs it unobserved")
        if status is None:
            return
        done = run("--anyway", *words, **options)
        assert done.status == status, done
        assert done.said()[0] == lines[0]
        # What can be preloaded into, or came before, leaves a recording of what little it shows.
        has_some = b"\nrecording  " in done.err
        kind = "not everything was seen" if has_some else "no recording was made"
        assert reason in done.said()[1] and kind in done.said()[1], done
        assert has_some or len(unwrapped(done.err.decode()).splitlines()) == 2, done

    return check


@pytest.fixture()
def warned(run):
    """A command runs, and a line says what will not be seen."""

    def check(words, reason, mend, status=3, subject=None, **options):
        done = run(*words, **options)
        assert done.status == status, done
        name = subject or words[-1]
        assert done.said()[0].startswith(f"mete: run: '{name}' may be observed in part only: it ")
        assert reason in done.said()[0] and mend in done.said()[1], done
        assert f"not everything was seen: '{name}' " in done.said()[2], done
        assert reason in done.said()[2], done
        return done

    return check


def assert_silent(done, status):
    """It ran, and nothing stood in the way."""
    assert done.status == status, done
    assert not any("observed" in line for line in done.said()), done


def test_an_ordinary_program_has_no_obstacle(run, compile_words):
    assert_silent(run(compile_words("plain", MAIN)), 3)
    assert_silent(run(compile_words("position", MAIN, ["-no-pie"])), 3)


@pytest.mark.parametrize("flags", [["-static"], ["-static-pie"]])
def test_a_static_program(refused, compile_words, flags):
    program = compile_words("static", MAIN, flags)
    refused([program], "is linked statically", "link it without -static")


@pytest.mark.parametrize("size", [60, 100, 5000])
def test_a_program_that_was_cut_off(run, tmp_path, size):
    program = tmp_path / "half"
    program.write_bytes(pathlib.Path("/bin/true").read_bytes()[:size])
    program.chmod(0o755)
    done = run(program)
    assert (done.status, done.said()) == (125, [
        f"mete: run: '{program}' cannot be observed: it is not a whole ELF file: it ends before "
        "what its header names",
        "mete: run: build or copy it again; 'mete run --anyway' runs it unobserved"])


def test_a_static_program_that_starts_others(run_fake, compile_words):
    """They can be observed where --anyway lets it run."""
    text = '#include <unistd.h>\nint main(void) { return execl("/bin/true", "true", NULL); }\n'
    program = compile_words("starter", text, ["-static"])
    done = run_fake("--anyway", program)
    assert done.status == 0
    assert b"\nrecording  true." in done.err, done


SANITIZERS = [
    ("gcc", "address", "AddressSanitizer"), ("gcc", "thread", "ThreadSanitizer"),
    ("gcc", "leak", "LeakSanitizer"), ("clang", "address", "AddressSanitizer"),
    ("clang", "thread", "ThreadSanitizer"), ("clang", "memory", "MemorySanitizer"),
    ("clang", "leak", "LeakSanitizer"),
]


@pytest.mark.parametrize("compiler,kind,name", SANITIZERS)
def test_a_program_with_a_sanitizer(refused, compile_words, compiler, kind, name):
    program = compile_words("sane", MAIN, [f"-fsanitize={kind}", "-g"], compiler)
    # TSan of these compilers dies under some kernels, with mete or without.
    status = None if kind == "thread" else 3
    reason = f"is built with {name}, which has a malloc of its own"
    refused([program], reason, "build it without -fsanitize", status)
    stripped = program.with_suffix(".stripped")
    subprocess.run(["strip", "-o", stripped, program], check=True)
    refused([stripped], reason, "build it without -fsanitize", status)


def test_a_program_with_a_sanitizer_that_has_no_malloc(run, compile_words):
    assert_silent(run(compile_words("undefined", MAIN, ["-fsanitize=undefined"])), 3)


def test_a_sanitizer_in_ld_preload(refused):
    words = ["/bin/true"]
    env = {"LD_PRELOAD": "/nonexistent/libasan.so.8"}
    # The loader itself speaks of what is not there, so --anyway is left out.
    reason = "names a sanitizer, which has a malloc of its own"
    with pytest.raises(AssertionError):
        refused(words, reason, "take it out", None, subject="nothing", env=env)
    refused(words, reason, "take it out", None, subject="LD_PRELOAD", env=env)


@pytest.mark.parametrize("flags", [[], ["-s"], ["-no-pie"]])
def test_a_program_with_a_known_allocator(refused, compile_words, flags):
    program = compile_words("inside", ALLOCATOR, ["-fno-builtin", "-rdynamic", *flags])
    refused([program], "has jemalloc linked in", "link it without")


def test_a_program_with_a_malloc_of_its_own(warned, compile_words):
    text = ALLOCATOR.replace("mallctl", "something")
    program = compile_words("own", text, ["-fno-builtin"])
    warned([program], "has a malloc of its own", "build it without")


def test_an_allocator_under_names_of_its_own(warned, compile_words):
    text = "void *je_malloc(unsigned long n) { return (void *)n; }\n" + MAIN
    program = compile_words("named", text)
    warned([program], "has jemalloc linked in under names of its own", "libc's malloc")


def test_an_allocator_as_a_library_of_a_cxx_program(run, warned, compile_words, tmp_path):
    library = compile_words("libjemalloc.so.2", "int je;\n",
                            ["-shared", "-fPIC", "-Wl,-soname,libjemalloc.so.2"])
    named = tmp_path / "libjemalloc.so.2"
    shutil.copy(library, named)
    text = "extern int je;\nint main(void) { return je + 3; }\n"
    flags = [named, f"-Wl,-rpath,{tmp_path}"]
    assert_silent(run(compile_words("c_host", text, flags)), 3)
    cxx = compile_words("cxx_host", text, [*flags, "-Wl,--no-as-needed", "-lstdc++"])
    warned([cxx], "takes 'operator new' from jemalloc", "link it without")


GO = '__attribute__((section(".go.buildinfo"), used)) static char go[32] = "\\xff Go buildinf:";\n'


def test_go_programs(refused, warned, compile_words):
    refused([compile_words("go", GO + MAIN, ["-static"])], "is a Go program without C", "go tool")
    warned([compile_words("cgo", GO + MAIN)], "only the memory of its C code is seen", "go tool")


def test_a_program_for_another_c_library(run, refused, compile_words):
    program = compile_words("musl", MAIN, ["-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"])
    refused([program], "runs on musl (its loader is /lib/ld-musl-x86_64.so.1), and mete on glibc",
            "build it for glibc", None)
    assert run("--anyway", program).status in (127, 3)  # the loader is not on this machine
    program = compile_words("other", MAIN, ["-Wl,--dynamic-linker=/lib/ld64-uClibc.so.0"])
    refused([program], "runs on another C library", "build it for glibc", None)


def elf(bits, machine, order="<"):
    """The head of a program."""
    ident = b"\x7fELF" + bytes([1 if bits == 32 else 2, 1 if order == "<" else 2, 1]) + bytes(9)
    return ident + struct.pack(f"{order}HHI", 2, machine, 1) + bytes(40)


@pytest.mark.parametrize(
    "head,reason",
    [
        (elf(32, 3), "is a 32-bit program, and mete a 64-bit one"),
        (elf(32, 62), "is a 32-bit program, and mete a 64-bit one"),
        (elf(64, 183), "is for another machine (ELF machine 183), and mete for x86-64"),
        (elf(64, 22, ">"), "is for another machine (ELF machine 22)"),
        (elf(32, 40), "is for another machine (ELF machine 40)"),
    ],
)
def test_a_program_for_another_machine(run, refused, tmp_path, head, reason):
    program = tmp_path / "foreign"
    program.write_bytes(head)
    program.chmod(0o755)
    refused([program], reason, "build it for x86-64", None)
    native = subprocess.run(["env", program], capture_output=True, check=False, cwd=tmp_path)
    assert run("--anyway", program).status == native.returncode


def test_a_file_that_only_begins_like_a_program(run, tmp_path):
    """Exec says what is wrong with it, or we do."""
    program = tmp_path / "broken"
    for size in (3, 4, 16, 20, 63):
        program.write_bytes(elf(64, 62)[:size])
        program.chmod(0o755)
        assert run(program).status in (2, 125, 126, 127)


@pytest.fixture()
def shared_folder(mete, preload):
    """A folder that every user may read, with mete in it."""
    if os.geteuid() != 0:
        pytest.skip("only root can make programs of other users")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        for path in (mete, preload):
            shutil.copy(path, folder)
        yield folder


def test_setuid_and_setgid_programs(refused, run, compile_words, shared_folder):
    program = pathlib.Path(shutil.copy(compile_words("plain", MAIN), shared_folder))
    mend = "run mete as the user it becomes, or put 'mete run' behind it"
    os.chown(program, NOBODY, 0)
    program.chmod(0o4755)
    refused([program], "is setuid", mend)
    os.chown(program, 0, NOBODY)
    program.chmod(0o2755)
    refused([program], "is setgid", mend)
    program.chmod(0o2745)  # without the right to run, the bit meant locking
    assert_silent(run(program), 3)
    os.chown(program, 0, 0)
    program.chmod(0o6755)
    assert_silent(run(program), 3)  # we are that user already


def test_setuid_where_it_means_nothing(mete, compile_words, shared_folder, tmp_path):
    program = pathlib.Path(shutil.copy(compile_words("plain", MAIN), shared_folder))
    os.chown(program, NOBODY, 0)
    program.chmod(0o4755)
    words = ["--no-new-privs", mete, "run", program]
    assert_silent(call_mete("/usr/bin/setpriv", words, cwd=tmp_path), 3)


def test_a_program_with_capabilities(run, compile_words, shared_folder):
    program = pathlib.Path(shutil.copy(compile_words("plain", MAIN), shared_folder))
    # Version 2, effective: cap_net_raw.
    os.setxattr(program, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0))
    assert_silent(run(program), 3)  # root has it anyway
    done = call_mete(shared_folder / "mete", ["run", program], cwd="/tmp", user=NOBODY,
                     group=NOBODY, extra_groups=[])
    assert done.status == 125 and "is given capabilities" in done.said()[0]


def test_a_program_that_cannot_be_read(compile_words, shared_folder):
    program = pathlib.Path(shutil.copy(compile_words("plain", MAIN), shared_folder))
    program.chmod(0o711)
    done = call_mete(shared_folder / "mete", ["run", program], cwd="/tmp", user=NOBODY,
                     group=NOBODY, extra_groups=[])
    assert done.status == 3
    assert "cannot be read, so that nobody knows whether it can be looked at" in done.said()[0]


@pytest.mark.parametrize("name", ["sudo", "su", "doas", "pkexec"])
def test_programs_that_begin_anew(warned, compile_words, tmp_path, name):
    program = tmp_path / name
    shutil.copy(compile_words("plain", MAIN), program)
    warned([program], "starts programs with an environment of its own", "put 'mete run' behind it")


# --- on the way to the program


@pytest.fixture()
def script(tmp_path):
    """Writes a script: script(first line, name='script')."""

    def write(first, name="script"):
        path = tmp_path / name
        path.write_text(first + "\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture()
def static(compile_words):
    """A static program."""
    return compile_words("static", MAIN, ["-static"])


@pytest.mark.parametrize("line", ["#!{0}", "#! {0} -x", "#!\t{0}\t", "#!/usr/bin/env {0}",
                                  "#!/usr/bin/env -S A=b {0} -x y", "#!/usr/bin/env -SA=b {0}"])
def test_scripts_are_followed_to_their_interpreter(refused, script, static, line):
    refused([script(line.format(static))], "is linked statically", "-static", subject=static)


def test_scripts_of_scripts_are_followed(refused, script, static):
    inner = script(f"#!{static}", "inner")
    refused([script(f"#!{inner}")], "is linked statically", "-static", subject=static)


def test_a_script_that_names_itself_ends_somewhere(run, script, tmp_path):
    path = script(f"#!{tmp_path}/script")
    assert run(path).status == 126


def test_names_are_looked_for_as_exec_does(refused, run, static, tmp_path):
    first = tmp_path / "a"
    second = tmp_path / "b"
    (first / "prog").mkdir(parents=True)  # a folder is no program
    second.mkdir()
    shutil.copy(static, second / "prog")
    env = {"PATH": f"{first}:{second}:{os.environ['PATH']}"}
    refused(["prog"], "is linked statically", "-static", subject=second / "prog", env=env)
    refused(["prog"], "is linked statically", "-static", subject="./prog", cwd=second,
            env={"PATH": f":{os.environ['PATH']}"})


def test_env_is_followed_on_the_command_line(refused, static):
    refused(["env", "-u", "A", "B=c", static], "is linked statically", "-static")


@pytest.mark.parametrize("words", [["-i"], ["-"], ["--ignore-environment", "A=b"]])
def test_an_emptied_environment(warned, words):
    warned(["env", *words, "/bin/true"], "empties the environment", "put 'mete run' behind",
           status=0, subject=shutil.which("env"))


def test_an_exec_that_fails_changes_nothing(run):
    script = "exec /nonexistent/x || true"
    done = run("bash", "-c", f"shopt -s execfail; {script}; exit 4")
    assert done.status == 4 and len(done.said()) == 0, done


def test_the_loader_as_a_command_is_no_static_program(run):
    loader = "/lib64/ld-linux-x86-64.so.2"
    assert_silent(run(loader, shutil.which("true")), 0)


def test_a_preload_object_that_cannot_be_mapped(mete, preload, tmp_path):
    words = ["-m", "sh", "-c",
             f"mount -t tmpfs none /mnt && cp '{mete}' '{preload}' /mnt && "
             f"mount -t tmpfs none /srv && cp '{preload}' /srv && "
             "mount -o remount,noexec /srv && ln -sf /srv/libmete-preload.so /mnt && "
             "exec /mnt/mete run true"]
    done = call_mete("/usr/bin/unshare", words, cwd=tmp_path)
    if done.status == 1:
        pytest.skip("mounts are not allowed here")
    assert done.status == 125
    assert "lies on a file system mounted noexec: it cannot be preloaded" in done.said()[0]


@pytest.mark.parametrize("what,words", [("-f 16", "may make files of 8 KiB"),
                                        ("-v 10500", "1312 KiB in an eighth of its address"),
                                        ("-d 16000", "16000 KiB of data, and observed needs")])
def test_limits_too_small_for_a_recording(mete, tmp_path, what, words):
    """The program would run, unobserved, and nobody had said so."""
    script = f"ulimit {what}; \"$@\" | cat"

    def call(*options):
        return call_mete("/bin/sh", ["-c", script, "sh", mete, "run", *options, "echo", "ran"],
                         cwd=tmp_path)

    done = call()
    if b"error while loading" in done.err:
        pytest.skip("mete itself finds no room under that")
    mend = f"raise 'ulimit {what[:2]}'"
    assert done.out == b"" and words in done.said()[0] and " needs " in done.said()[0]
    assert done.said()[1] == f"mete: run: {mend}; 'mete run --anyway' runs it unobserved", done
    done = call("--anyway")
    assert done.out == b"ran\n" and words in done.said()[-1], done
    assert list(tmp_path.iterdir()) == []


def with_libraries(root, *files):
    """Copies programs, and the libraries that they want, to where they are in another root."""
    wanted = set(map(str, files))
    for file in files:
        said = subprocess.run(["ldd", file], stdout=subprocess.PIPE, text=True, check=True).stdout
        wanted.update(re.findall(r"(/\S+) \(0x", said))
    for path in wanted:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def test_a_small_stack_is_enough(mete, tmp_path):
    """libisal inflates debug information with 150 KiB of stack."""
    script = 'ulimit -s 64; exec "$@"'
    done = subprocess.run(["sh", "-c", script, "sh", mete, "run", "sh", "-c", "ulimit -s; :"],
                          capture_output=True, timeout=60, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (0, b"64\n"), done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot")
def test_a_command_in_another_root(run, tmp_path):
    """There is nothing of ours there: it runs on, and the loader and mete say that it was not
    seen."""
    root = tmp_path / "root"
    with_libraries(root, "/usr/bin/sort")
    (root / "lines").write_text("b\na\n")
    done = run("/usr/sbin/chroot", root, "/usr/bin/sort", "/lines", "/nonexistent")
    assert (done.status, done.out) == (2, b""), done
    done = run("/usr/sbin/chroot", root, "/usr/bin/sort", "/lines")
    assert (done.status, done.out) == (0, b"a\nb\n"), done
    assert "'chroot' became another program, which left no recording: " in done.said()[0]
    where = "or runs as another user or in another root (chroot): put 'mete run' behind that"
    assert where in done.said()[0]


def test_mete_in_another_root(mete, preload, tmp_path):
    """As that says: behind chroot it sees what runs there."""
    root = tmp_path / "root"
    with_libraries(root, "/usr/bin/sort", mete)
    shutil.copy(preload, (root / str(mete).lstrip("/")).parent)
    for name in ("proc", "tmp"):
        (root / name).mkdir(exist_ok=True)
    (root / "lines").write_text("b\na\n")
    words = [mete, "run", "-o", "/a.mete", "/usr/bin/sort", "/lines"]
    script = f"mount -t proc none '{root}/proc' || exit 77; exec /usr/sbin/chroot '{root}' \"$@\""
    done = call_mete("/usr/bin/unshare", ["-m", "sh", "-c", script, "sh", *words], cwd=tmp_path)
    if done.status in (1, 77):
        pytest.skip("mounts are not allowed here")
    assert (done.status, done.out, done.said()) == (0, b"a\nb\n", []), done
    assert (root / "a.mete").is_file()
    done = call_mete("/usr/sbin/chroot", [root, *words], cwd=tmp_path)
    assert done.status == 125 and done.said() == [
        "mete: cannot tell where mete itself lies: No such file or directory; mount /proc"], done


def test_a_preload_object_that_is_not_there(mete, tmp_path):
    shutil.copy(mete, tmp_path / "mete")
    done = call_mete(tmp_path / "mete", ["run", "touch", "ran"], cwd=tmp_path)
    if done.status != 0:  # an installed mete on this machine may serve
        assert done.status == 125 and "cannot find libmete-preload.so" in done.said()[0]
        assert not (tmp_path / "ran").exists()
