"""Every crime against the heap ends in one line that says what was wrong, and SIGABRT."""

import pathlib
import re
import resource
import signal

import pytest

HERE = pathlib.Path(__file__).resolve().parent
CRIMES = sorted(HERE.glob("*.c"))


def expectations(path):
    """The lines that may appear: those after "expect:" at the head of the file."""
    found = re.findall(r"^// expect: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{path.name} does not say what to expect"
    return found


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@pytest.mark.parametrize("perturb", ["0", "85"], ids=["plain", "perturbed"])
@pytest.mark.parametrize("crime", CRIMES, ids=lambda path: path.stem)
def test_crime(crime, perturb, compile_c, run_preloaded):
    program = compile_c(crime, "-w")  # the compiler sees many of the crimes, too
    env = {"MALLOC_PERTURB_": perturb}
    done = run_preloaded([program], env=env, preexec_fn=no_core, timeout=60)
    printed = re.findall(r"^(ACCUSED|START|SIZE) (\S+)$", done.stdout.decode(), re.MULTILINE)
    accused = [address for name, address in printed if name == "ACCUSED"]
    last = dict(printed)
    start, size = last.get("START", ""), str(int(last.get("SIZE", "0"), 16))
    assert accused, f"it ended before its crime\n{done!r}"
    assert done.status == -signal.SIGABRT, f"not caught\n{done!r}"
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    assert len(lines) == len(accused), f"one line for each crime\n{done!r}"
    for line, address in zip(lines, accused):
        wanted = [
            "mete: "
            + text.replace("ACCUSED", address).replace("START", start).replace("SIZE", size)
            for text in expectations(crime)
        ]
        assert line in wanted
