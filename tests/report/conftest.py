"""What the tests of `mete report` share: sample recordings, and how to call it."""

import subprocess

import pytest

UTF8 = {"LC_ALL": "C.UTF-8"}


@pytest.fixture(scope="module")
def samples(build, tmp_path_factory):
    """A folder with the recordings that write_samples.c makes."""
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run([build / "tests" / "report" / "write_samples", folder], check=True, timeout=60)
    return folder


@pytest.fixture()
def report(mete, samples):
    """Runs `mete report` in the samples' folder: (status, standard output, standard error)."""

    def call(*words, env=None, cwd=samples):
        done = subprocess.run(
            [mete, "report", *map(str, words)], cwd=cwd, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False, timeout=60,
            env={"PATH": "/usr/bin:/bin", **(UTF8 if env is None else env)},
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return call
