"""Configuring stops with a sentence where mete cannot run."""

import subprocess

import pytest

MACHINE = """[binaries]
c = 'gcc'
ar = 'ar'
strip = 'strip'
[host_machine]
system = '{system}'
cpu_family = '{family}'
cpu = '{family}'
endian = 'little'
"""


def configure(source, folder, system, family):
    (folder / "machine.ini").write_text(MACHINE.format(system=system, family=family))
    return subprocess.run(
        ["meson", "setup", "--cross-file", folder / "machine.ini", folder / "build", source],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=100,
    )


@pytest.mark.parametrize(
    "system,family,sentence",
    [
        ("freebsd", "x86_64", "mete runs on Linux; this is freebsd."),
        ("linux", "aarch64", "mete runs on 64-bit x86-64 so far; this is aarch64."),
    ],
)
def test_elsewhere_configuring_stops(source, tmp_path, system, family, sentence):
    done = configure(source, tmp_path, system, family)
    assert done.returncode != 0
    assert sentence in done.stdout


def test_without_elfutils_it_says_what_to_install(source, tmp_path):
    done = subprocess.run(
        ["meson", "setup", tmp_path / "build", source],
        env={"PATH": "/usr/bin:/bin", "PKG_CONFIG_LIBDIR": "/nonexistent"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=100,
    )
    assert done.returncode != 0
    assert "mete needs elfutils" in done.stdout
    assert "libdw-dev" in done.stdout
