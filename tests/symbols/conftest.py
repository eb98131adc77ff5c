"""How names are asked for."""

import os
import subprocess

import pytest

from asking import Answer


@pytest.fixture(scope="session")
def query(build):
    def ask(path, offsets=(), *options, env=None):
        words = [str(build / "tests/symbols/symbols_query"), *options, str(path), "-"]
        text = "".join(f"{offset:x}\n" for offset in offsets)
        variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}
        done = subprocess.run(
            words, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            check=False, timeout=60, env=variables,
        )
        assert done.returncode == 0, done.stderr
        return Answer(done.stdout)

    return ask
