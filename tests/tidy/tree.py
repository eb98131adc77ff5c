"""Checks on the source tree. Each takes a Tree and returns its findings, "path:line: what"."""

import ast
import pathlib
import re
import subprocess

from layers import MAY_INCLUDE

COLUMNS = 100
FUNCTION_LINES = 70
FILE_LINES = 500
FOLDERS = ("src", "include", "tests", "fuzz", "bench", "examples", "tools", ".ci")
C_ENDINGS = (".c", ".h", ".cc", ".cpp", ".hpp")
CODE_ENDINGS = C_ENDINGS + (".py", ".sh")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
COMMENT_OR_TEXT = re.compile(
    r"//[^\n]*|/\*.*?\*/" r'|"(?:\\.|[^"\\\n])*"' r"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)


class Tree:
    """The files of a source tree that are ours."""

    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        foreign = self.listed("tests/tidy/foreign")
        self.files = []
        for folder in FOLDERS:
            for path in sorted((self.root / folder).rglob("*")):
                name = self.name(path)
                if path.is_file() and "__pycache__" not in name and not any(
                    name == other or name.startswith(other.rstrip("/") + "/") for other in foreign
                ):
                    self.files.append(path)
        for name in ("meson.build", "meson_options.txt", "Makefile"):
            if (self.root / name).is_file():
                self.files.append(self.root / name)

    def name(self, path):
        return path.relative_to(self.root).as_posix()

    def listed(self, name):
        """The lines of a list in the tree; '#' begins a comment."""
        path = self.root / name
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        lines = (line.split("#")[0].strip() for line in text.splitlines())
        return [line for line in lines if line]

    def ending(self, *endings):
        return [path for path in self.files if path.suffix in endings]

    def scripts(self):
        """Python and shell without an ending, by their first line."""
        found = {"python": self.ending(".py"), "shell": self.ending(".sh")}
        for path in self.files:
            if path.suffix:
                continue
            with open(path, "rb") as opened:
                first = opened.readline(100)
            if first.startswith(b"#!") and b"python" in first:
                found["python"].append(path)
            elif first.startswith(b"#!") and b"sh" in first:
                found["shell"].append(path)
        return found

    def code(self):
        """All that the limits on lines and columns hold for."""
        scripts = self.scripts()
        builds = [path for path in self.files if path.name in ("meson.build", "Makefile")]
        return self.ending(*C_ENDINGS) + scripts["python"] + scripts["shell"] + builds


def read(path):
    return path.read_text(encoding="utf-8")


def bare(text):
    """C text with comments, strings and characters blanked; lines stay where they are."""
    return COMMENT_OR_TEXT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def functions(text):
    """(first line, last line) of each top-level block that is a function, its head included."""
    lines = text.split("\n")
    open_at = None
    for i, line in enumerate(lines):
        if line.rstrip() == "{":
            open_at = i
            while open_at > 0 and re.match(r"[^\s#}/]|\s+\S", lines[open_at - 1]):
                open_at -= 1
                if not lines[open_at].startswith((" ", "\t")):
                    break
        elif line.startswith("}") and open_at is not None:
            yield open_at + 1, i + 1
            open_at = None


def check_format(tree):
    """clang-format has nothing to say."""
    files = tree.ending(*C_ENDINGS)
    if not files:
        return []
    done = subprocess.run(
        ["clang-format", "--dry-run", "--style=file", *map(tree.name, files)],
        cwd=tree.root, stderr=subprocess.PIPE, text=True, check=False,
    )
    found = re.findall(r"^(\S+?:\d+):\d+: (?:warning|error): (.*)", done.stderr, re.MULTILINE)
    if done.returncode != 0 and not found:
        return [f"clang-format: {done.stderr.strip()}"]
    return sorted({f"{place}: {what}" for place, what in found})


def check_columns(tree):
    """No line of code is longer than 100 columns."""
    return [
        f"{tree.name(path)}:{i}: {len(line)} columns"
        for path in tree.code()
        for i, line in enumerate(read(path).split("\n"), 1)
        if len(line) > COLUMNS
    ]


def check_functions(tree):
    """No function is longer than 70 lines."""
    found = []
    for path in tree.ending(*C_ENDINGS):
        for first, last in functions(bare(read(path))):
            if last - first + 1 > FUNCTION_LINES:
                found.append(f"{tree.name(path)}:{first}: {last - first + 1} lines")
    for path in tree.scripts()["python"]:
        for node in ast.walk(ast.parse(read(path))):
            if not isinstance(node, ast.FunctionDef):
                continue
            count = node.end_lineno - node.lineno + 1
            if count > FUNCTION_LINES:
                found.append(f"{tree.name(path)}:{node.lineno}: {count} lines")
    return found


def check_files(tree):
    """No file of code is longer than 500 lines."""
    counts = ((path, read(path).count("\n")) for path in tree.code())
    return [f"{tree.name(path)}:1: {n} lines" for path, n in counts if n > FILE_LINES]


def check_layers(tree):
    """A room includes only what is downstairs."""
    found = []
    for path in tree.ending(*C_ENDINGS):
        parts = tree.name(path).split("/")
        if parts[0] != "src" or len(parts) < 3:
            continue
        room = parts[1]
        if room not in MAY_INCLUDE:
            found.append(f"{tree.name(path)}:1: room '{room}' is not in tests/tidy/layers.py")
            continue
        for match in INCLUDE.finditer(read(path)):
            other = match.group(1).split("/")[0]
            where = f"{tree.name(path)}:{line_of(read(path), match.start())}"
            if "/" not in match.group(1):
                found.append(f"{where}: include by room: \"{room}/{match.group(1)}\"")
            elif other not in MAY_INCLUDE[room] | {room, "mete"}:
                found.append(f"{where}: {room} may not include {other}")
    return found


def check_words(tree):
    """No identifier or file name of ours holds a word that lost."""
    words = dict(
        (part.strip() for part in line.split(":", 1)) for line in tree.listed("tests/tidy/words")
    )
    found = []
    for path in tree.files:
        for part in re.split(r"[-_./]", tree.name(path).lower()):
            if part in words:
                found.append(f"{tree.name(path)}:1: file name: '{part}', say {words[part]}")
    for path in tree.ending(*C_ENDINGS):
        if tree.name(path).split("/")[0] not in ("src", "include"):
            continue
        text = re.sub(r"^\s*#\s*include.*", "", bare(read(path)), flags=re.MULTILINE)
        # Members as system headers name them (l_addr, a_val, dlpi_addr) are not ours to name.
        ours = r"(?<![.>])\b[A-Za-z]\w*|(?<=[.>])(?!(?:[a-z]|dlpi)_)[A-Za-z]\w*"
        for match in re.finditer(ours, text):
            for part in match.group().lower().split("_"):
                if part in words:
                    where = f"{tree.name(path)}:{line_of(text, match.start())}"
                    found.append(f"{where}: '{match.group()}', say {words[part]}")
    return found


def check_orphans(tree):
    """Every C file is named by a build file or a script near it, every header is included."""
    included = set()
    for path in tree.ending(*C_ENDINGS):
        for name in INCLUDE.findall(read(path)):
            included.update((name, (path.parent / name).resolve()))
    named = {}
    scripts = tree.scripts()
    for path in scripts["python"] + scripts["shell"] + tree.files:
        if path.suffix == ".py" or not path.suffix or path.name == "meson.build":
            named[path] = read(path) if path.stat().st_size < 1 << 20 else ""
    found = []
    for path in tree.ending(*C_ENDINGS):
        if path.suffix in (".h", ".hpp"):
            inside = path.relative_to(tree.root / tree.name(path).split("/")[0]).as_posix()
            if inside not in included and path.resolve() not in included:
                found.append(f"{tree.name(path)}:1: nobody includes this header")
            continue
        near = [text for other, text in named.items() if other.parent in path.parents]
        whole = re.compile(rf"['\"/ ]({re.escape(path.name)}|{re.escape(path.stem)})['\"\s,]")
        # A script that takes every file of its folder has named them all.
        beside = [text for other, text in named.items() if other.parent == path.parent]
        if any(f'glob("*{path.suffix}")' in text for text in beside):
            continue
        if not any(whole.search(text) for text in near):
            found.append(f"{tree.name(path)}:1: no build file or script names this file")
    return found


def check_once(tree):
    """Every header begins with a comment and is read once."""
    found = []
    for path in tree.ending(".h", ".hpp"):
        if not re.search(r"^#pragma once$", read(path), re.MULTILINE):
            found.append(f"{tree.name(path)}:1: no '#pragma once'")
        if not read(path).startswith(("//", "/*")):
            found.append(f"{tree.name(path)}:1: no opening comment")
    return found


def check_conditionals(tree):
    """No #if inside a function body."""
    found = []
    for path in tree.ending(*C_ENDINGS):
        text = bare(read(path))
        lines = text.split("\n")
        for first, last in functions(text):
            for i in range(first, last):
                if re.match(r"\s*#\s*if", lines[i]):
                    found.append(f"{tree.name(path)}:{i + 1}: #if in a function body")
    return found


def check_includes(tree):
    """No C file includes a C file."""
    found = []
    for path in tree.ending(*C_ENDINGS):
        for match in re.finditer(r'^\s*#\s*include\s*["<].*\.(c|cc|cpp)[">]', read(path), re.M):
            found.append(f"{tree.name(path)}:{line_of(read(path), match.start())}: includes code")
    return found


def check_typedefs(tree):
    """A typedef names a function pointer and nothing else."""
    found = []
    for path in tree.ending(*C_ENDINGS):
        if tree.name(path).split("/")[0] not in ("src", "include"):
            continue
        text = bare(read(path))
        for match in re.finditer(r"^\s*typedef\b[^;]*;", text, re.MULTILINE):
            if "(*" not in match.group():
                found.append(f"{tree.name(path)}:{line_of(text, match.start())}: typedef")
    return found


CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]
