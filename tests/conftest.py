"""What every pytest file may ask for: where the sources and the artefacts are."""

import os
import pathlib

import pytest

SOURCE = pathlib.Path(
    os.environ.get("METE_SOURCE", pathlib.Path(__file__).resolve().parent.parent)
)
BUILD = pathlib.Path(os.environ.get("METE_BUILD", SOURCE / "build"))


@pytest.fixture(scope="session")
def source():
    """The top of the source tree."""
    return SOURCE


@pytest.fixture(scope="session")
def build():
    """The build folder, with mete, libmete.so, libmete.a and libmete-preload.so in it."""
    return BUILD


@pytest.fixture(scope="session")
def mete(build):
    """The program mete."""
    return build / "mete"


@pytest.fixture(scope="session")
def preload(build):
    """The object to preload."""
    return build / "libmete-preload.so"


@pytest.fixture()
def preloaded(preload):
    """An environment in which a program runs on mete's heap."""
    env = dict(os.environ)
    env["LD_PRELOAD"] = str(preload)
    env.pop("METE", None)
    return env
