"""The allocators that are compared: glibc's own, mete, and what Debian has, for orientation."""

from dataclasses import dataclass
from pathlib import Path

from harness.measure import CannotRun

LIBRARY_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib")
PEERS = {
    "mimalloc": "libmimalloc.so.2",
    "jemalloc": "libjemalloc.so.2",
    "tcmalloc": "libtcmalloc_minimal.so.4",
}


@dataclass(frozen=True)
class Allocator:
    name: str
    path: Path | None  # None: glibc's, no preload


def find_peer(name):
    for folder in LIBRARY_FOLDERS:
        path = Path(folder, PEERS[name])
        if path.exists():
            return Allocator(name, path)
    return None


def find(name, object_path):
    """The allocator of that name; None when a peer is not installed."""
    if name == "glibc":
        return Allocator("glibc", None)
    if name == "mete":
        if not object_path.exists():
            raise CannotRun(f"{object_path} does not exist; run make first, or name an --object")
        return Allocator("mete", object_path.resolve())
    if name in PEERS:
        return find_peer(name)
    known = ", ".join(("glibc", "mete", *PEERS))
    raise CannotRun(f"there is no allocator '{name}'; there are {known}")


def select(names, object_path):
    """The allocators to compare, glibc first. Without names: all there are."""
    asked = list(names) if names else ["mete", *PEERS]
    order = ["glibc"] + [name for name in dict.fromkeys(asked) if name != "glibc"]
    found = [(name, find(name, object_path)) for name in order]
    missing = [name for name, allocator in found if allocator is None]
    if names and missing:
        raise CannotRun(f"not installed: {', '.join(missing)}")
    return [allocator for _, allocator in found if allocator]


def check_in_effect(launcher, allocators):
    """Before the first long run; the launcher looks again for each program."""
    for allocator in allocators:
        launcher.expect_loaded("/bin/true", allocator.path)
