"""The tree is tidy: one case for each check of tree.py."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from tree import CHECKS, Tree


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_tree(check, source):
    findings = check(Tree(source))
    assert not findings, f"{check.__doc__}\n" + "\n".join(findings)
