"""`mete report --json`: what it prints is what docs/report-json.md says."""

import json
import re


TOTALS = {
    "allocations": 10000, "frees": 9000, "bytes_allocated": 320000, "bytes_freed": 288000,
    "live_blocks": 1000, "live_bytes": 32000, "peak_bytes": 32000, "peak_blocks": 1000,
    "at_peak_bytes": 32000, "temporary": 0, "reallocations": 0, "wasted_bytes": 0,
    "live_wasted_bytes": 0, "at_peak_wasted_bytes": 0, "inherited": 0, "inherited_bytes": 0,
}


def test_json_of_four_threads(report):
    status, out, err = report("--json", "threads.mete")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert told["schema"] == 1
    assert told["totals"] == TOTALS
    assert told["peak"] == {"time_ms": 849, "exact": False}
    assert told["process"]["status"] is None and told["process"]["command"] is None
    assert told["process"]["state"] == "ended"
    assert [thread["allocations"] for thread in told["threads"]] == [1000, 2000, 3000, 4000]
    (site,) = told["sites"]
    assert site["allocations"] == 10000 and site["live_bytes"] == 32000
    assert site["threads"] == [77, 78, 79, 80]
    assert site["owner"] == 0
    assert site["frames"][0] == {
        "function": "work", "file": "work.c", "line": 5, "module": "/usr/bin/workers",
        "offset": 16, "inlined": False,
    }


def documented(source, title):
    """The keys in the table below a title of docs/report-json.md."""
    text = (source / "docs" / "report-json.md").read_text(encoding="utf-8")
    section = text.split(f"## {title}\n")[1].split("\n## ")[0]
    return {key for line in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
            for key in re.findall(r"`(\w+)`", line)}


def test_json_has_the_documented_keys_and_no_others(report, source):
    told = json.loads(report("--json", "server.mete", "child1.mete")[1])
    assert set(told) == documented(source, "The object")
    parts = {
        "process": told["process"], "totals": told["totals"], "peak": told["peak"],
        "timeline": told["timeline"][0], "sizes": told["sizes"][0], "modules": told["modules"][0],
        "threads": told["threads"][0], "mappings": told["mappings"][0],
        "children": told["children"][0], "sites": told["sites"][0],
        "frames": told["sites"][0]["frames"][0],
    }
    for name, part in parts.items():
        assert set(part) == documented(source, f"`{name}`"), name


def test_json_of_sites_sums_to_its_totals(report):
    told = json.loads(report("--json", "server.mete")[1])
    for key in ("allocations", "frees", "bytes_allocated", "bytes_freed", "live_blocks",
                "live_bytes", "temporary", "reallocations", "wasted_bytes", "at_peak_bytes"):
        assert sum(site[key] for site in told["sites"]) == told["totals"][key], key
    assert all(isinstance(site["live_over_time"][-1], int) for site in told["sites"])


def test_the_timeline_reaches_to_the_end(report):
    """Also of a program that ended before its first interval had."""
    for name in ("threads.mete", "child1.mete"):
        told = json.loads(report("--json", name)[1])
        last = told["timeline"][-1]
        assert last == {"time_ms": told["process"]["duration_ms"],
                        "live_bytes": told["totals"]["live_bytes"],
                        "allocations": told["totals"]["allocations"]}, name
