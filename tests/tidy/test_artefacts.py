"""Each artefact shows the symbols of its list, and the preload object asks libc for few."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from artefacts import difference, exported, imported, listed, vector_code


@pytest.mark.parametrize("name", ["libmete-preload.so", "libmete.so", "libmete.a"])
def test_exports(name, build):
    findings = difference(exported(build / name), listed(f"exports/{name}.txt"))
    assert not findings, "\n".join(findings)


def test_imports(preload):
    wanted = listed("imports/libmete-preload.txt")
    findings = difference(imported(preload), wanted, may_miss=True)
    assert not findings, "\n".join(findings)


def test_the_preload_object_keeps_off_vector_registers(preload):
    """Their spills want a stack that not every caller of malloc has (src/meson.build)."""
    findings = vector_code(preload)
    assert not findings, "\n".join(findings[:20])


def test_a_name_too_many_and_a_name_too_few_are_found():
    assert difference({"a", "b"}, {"b", "c"}) == ["not listed: a", "missing: c"]
    assert difference({"a", "b"}, {"b", "c"}, may_miss=True) == ["not listed: a"]
