"""bench/compared: what it makes of its runs is a document that one can read, and its charts."""

import sys
import xml.etree.ElementTree

import pytest


@pytest.fixture()
def compared(source, monkeypatch):
    monkeypatch.syspath_prepend(str(source / "bench"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    from harness import compared as module

    return module


def row(cpu, left=0):
    return {"cpu_us": 1000 * cpu, "wall_ns": 2000000 * cpu, "peak_kib": 1024 * cpu,
            "cpu_us_ratio": cpu, "wall_ns_ratio": cpu / 2, "peak_kib_ratio": cpu / 4,
            "left_bytes": left}


@pytest.fixture()
def result():
    """Two programs; a slow tool that fails with one, and one that fails with all."""
    alone = {"is_base": True, "is_slow": False, "mean": None}
    tool = {"is_base": False, "is_slow": False}
    mean = {"cpu_us": 1.5, "wall_ns": 0.75, "peak_kib": 0.375}
    return {
        "rounds": 3, "document": None,
        "tools": [{**alone, "name": "alone"}, {**tool, "name": "mete run", "mean": mean},
                  {**tool, "name": "slow & <odd>", "is_slow": True, "mean": mean},
                  {**tool, "name": "broken", "mean": None}],
        "programs": {
            "perl": {"alone": row(1), "mete run": row(1.25, 2048), "slow & <odd>": row(40),
                     "broken": {"failed": "SIGSEGV"}},
            "redis": {"alone": row(2), "mete run": row(1.75, 4096),
                      "slow & <odd>": {"failed": "status 3"}, "broken": {"failed": "no end"}},
        },
    }


def test_a_document_keeps_what_is_around_the_tables(compared, result, tmp_path):
    path = tmp_path / "numbers.md"
    path.write_text(f"before\n{compared.BEGIN}old{compared.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        compared.document(result, path)
        text = path.read_text(encoding="utf-8")
        assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
        assert text.count(compared.BEGIN) == text.count("![CPU time") == 1
    assert "| mete run | 1.25 | 1.75 | 1.50 |" in text
    assert "| slow & <odd> * | 40.00 | fails | 1.50 |" in text
    assert "| broken | fails | fails |  |" in text
    assert "| mete run | 2 KiB | 4 KiB |" in text
    assert "broken fails with perl (SIGSEGV), redis (no end)" in text


def test_a_document_without_a_place_is_left_alone(compared, result, tmp_path):
    path = tmp_path / "numbers.md"
    path.write_text("my own\n", encoding="utf-8")
    with pytest.raises(Exception, match="has no place for the table"):
        compared.document(result, path)
    assert path.read_text(encoding="utf-8") == "my own\n"


def test_charts_have_a_dot_for_each_that_ran(compared, result, tmp_path):
    compared.document(result, tmp_path / "made.md")
    assert (tmp_path / "made.md").read_text(encoding="utf-8").startswith("# Benchmarks\n")
    for name in ("cpu", "memory"):
        chart = xml.etree.ElementTree.parse(tmp_path / f"made-{name}.svg").getroot()
        tag = "{http://www.w3.org/2000/svg}"
        dots = [one for one in chart.iter(f"{tag}circle") if one.find(f"{tag}title") is not None]
        assert len(dots) == 3
        width = float(chart.get("width"))
        assert all(0 < float(one.get("cx")) < width for one in dots)
        words = [one.text for one in chart.iter(f"{tag}text")]
        assert {"mete run", "slow & <odd> *", "fails: redis", "fails: perl, redis"} <= set(words)


def test_the_terminal_has_the_same(compared, result):
    lines = compared.text(result)
    assert any(line.split() == ["alone", "1", "ms", "2", "ms"] for line in lines)
    assert any(line.split() == ["mete", "run", "1.25", "1.75", "1.50"] for line in lines)
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("words,reason", [
    ("/bin/perl with x failed, status 139\n", "SIGSEGV"), ("x failed, status 3", "status 3"),
    ("no end after 600 s: x", "no end"),
])
def test_a_failure_has_a_reason(compared, words, reason):
    assert compared.reason_of(words) == reason
