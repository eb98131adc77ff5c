"""Each check of tree.py catches a bad sample and lets a good one pass."""

import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import tree

GOOD = {
    "src/base/fine.h": "// Fine: a sample.\n#pragma once\n\nint fine(int value);\n",
    "src/base/fine.c": (
        '#include "base/fine.h"\n\n'
        "#include <string.h>\n\n"
        "// util and slab may stand in a comment, #if too.\n"
        "int fine(int value)\n{\n"
        "    const char *text = \"slab // { } #if\";\n"
        "    if (value) return (int)strlen(text);\n"
        "    return '{';\n}\n"
    ),
    "src/heap/upper.c": '#include "base/fine.h"\n',
    "src/base/meson.build": "files(\n    'fine.c',\n)\n",
    "src/heap/meson.build": "files('upper.c')\n",
}
LONG_FUNCTION = "int f(int a,\n      int b)\n{\n" + "    a += b;\n" * 66 + "    return a;\n}\n"
BAD = [
    ("check_format", "src/base/a.c", "int  f(void);\n"),
    ("check_columns", "src/base/a.c", "// " + "x" * 98 + "\n"),
    ("check_columns", "tests/a.py", "# " + "x" * 99 + "\n"),
    ("check_columns", "src/os/meson.build", "# " + "x" * 99 + "\n"),
    ("check_functions", "src/base/a.c", LONG_FUNCTION),
    ("check_functions", "tests/a.py", "def f():\n" + "    print()\n" * 70),
    ("check_functions", "tests/run", "#!/usr/bin/python3\ndef f():\n" + "    print()\n" * 70),
    ("check_files", "src/base/a.h", "//\n" * 501),
    ("check_layers", "src/base/a.c", '#include "heap/heap.h"\n'),
    ("check_layers", "src/os/a.c", '#include "heap/heap.h"\n'),
    ("check_layers", "src/heap/a.c", '#include "preload/export.h"\n'),
    ("check_layers", "src/base/a.c", '#include "fine.h"\n'),
    ("check_layers", "src/cellar/a.c", "int f(void);\n"),
    ("check_words", "src/base/a.c", "int slab_take(void);\n"),
    ("check_words", "src/base/a.c", "#define MAX_TCACHE 3\n"),
    ("check_words", "src/base/string_util.c", "int f(void);\n"),
    ("check_words", "tests/utils.py", "\n"),
    ("check_orphans", "src/base/lonely.c", "int f(void);\n"),
    ("check_orphans", "src/base/lonely.h", "// Nobody.\n#pragma once\n"),
    ("check_once", "src/base/a.h", "// A header.\nint f(void);\n"),
    ("check_once", "src/base/a.h", "#pragma once\nint f(void);\n"),
    ("check_conditionals", "src/base/a.c", "int f(void)\n{\n#ifdef X\n    g();\n#endif\n}\n"),
    ("check_includes", "src/base/a.c", '#include "base/fine.c"\n'),
    ("check_includes", "tests/base/a.c", '#include "../fine.c"\n'),
    ("check_typedefs", "src/base/a.h", "typedef struct thing {\n    int a;\n} thing;\n"),
    ("check_typedefs", "src/base/a.h", "typedef unsigned long size;\n"),
]


def plant(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture()
def sample(tmp_path, source):
    plant(tmp_path, GOOD)
    (tmp_path / "tests/tidy").mkdir(parents=True)
    shutil.copy(source / "tests/tidy/words", tmp_path / "tests/tidy/words")
    shutil.copy(source / ".clang-format", tmp_path / ".clang-format")
    return tmp_path


@pytest.mark.parametrize("check", tree.CHECKS, ids=lambda check: check.__name__)
def test_a_good_tree_passes(check, sample):
    assert check(tree.Tree(sample)) == []


@pytest.mark.parametrize("check,name,text", BAD, ids=[f"{row[0]}-{row[1]}" for row in BAD])
def test_a_bad_file_is_found(check, name, text, sample):
    plant(sample, {name: text})
    findings = getattr(tree, check)(tree.Tree(sample))
    assert len(findings) == 1, findings
    assert findings[0].startswith(f"{name}:")


def test_every_check_has_a_bad_sample():
    assert {check.__name__ for check in tree.CHECKS} == {check for check, _, _ in BAD}


def test_a_function_of_seventy_lines_is_short_enough(sample):
    plant(sample, {"src/base/a.c": LONG_FUNCTION.replace("    a += b;\n", "", 1)})
    assert tree.check_functions(tree.Tree(sample)) == []


def test_foreign_folders_are_passed_by(sample):
    plant(sample, {"tests/theirs/a.c": "int  f(void);\n", "tests/tidy/foreign": "tests/theirs\n"})
    assert tree.check_format(tree.Tree(sample)) == []


def test_a_script_that_takes_all_of_its_folder_names_them(sample):
    files = {"tests/all/a.c": "int f(void);\n", "tests/all/test_all.py": 'folder.glob("*.c")\n'}
    plant(sample, files)
    assert tree.check_orphans(tree.Tree(sample)) == []
