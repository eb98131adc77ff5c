"""Libraries that the program loads while it runs: they find the heap that everybody has, and where
the loader looks for them is not changed by who passes its calls on."""

import shutil


def test_who_looks_into_libc_first_finds_the_same_heap(compile_program, compile_library, succeeds):
    """Protects RTLD_DEEPBIND (PHP) and dlsym() on libc (Python's ctypes): one frees what the other
    gave."""
    library = compile_library("library_own_scope.c")
    succeeds([compile_program("own_scopes.c", "-ldl"), library])
    succeeds([compile_program("own_scopes.c", "-ldl"), library, "by-space"])


def test_a_programs_own_malloc_finds_another_one_in_libc(compile_program, succeeds):
    """Protects programs that replace malloc by a wrapper of it: theirs is not theirs again."""
    succeeds([compile_program("own_malloc.c", "-rdynamic", "-ldl")])


def test_what_libcs_own_heap_gave_is_freed_there(compile_program, compile_library, succeeds):
    """Protects libraries that found the way to libc's malloc before it was barred."""
    finder = compile_library("library_finder.c")
    succeeds([compile_program("finding.c", str(finder), f"-Wl,-rpath,{finder.parent}", "-ldl")])


def test_a_library_is_found_by_the_search_path_of_who_asks(
        compile_program, compile_library, succeeds, tmp_path):
    """Protects plugins: the loader takes the search path of the object that dlopen() returns to."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    shutil.copy(compile_library("library_own_scope.c"), folder / "library_sought.so")
    flags = ("-Wl,--enable-new-dtags", f"-Wl,-rpath,{folder}")
    seeker = compile_library("library_seeker.c", *flags)
    succeeds([compile_program("seeking.c", str(seeker), f"-Wl,-rpath,{seeker.parent}")])


def test_pythons_ctypes_frees_what_libc_gave(succeeds):
    words = ("import ctypes; c = ctypes.CDLL('libc.so.6'); c.strdup.restype = ctypes.c_void_p\n"
             "for i in range(1000): c.free(ctypes.c_void_p(c.strdup(b'text' * i)))\n"
             "print('well')")
    assert succeeds(["/usr/bin/python3", "-c", words]).stdout == b"well\n"


def test_libcs_table_is_closed_again(succeeds):
    """Protects a hardened program: what may not be written may not be written afterwards."""
    words = ("import ctypes; ctypes.CDLL('libc.so.6')\n"
             "for line in open('/proc/self/maps'):\n"
             "    if 'libc.so' in line: print(line.split()[1])")
    modes = succeeds(["/usr/bin/python3", "-c", words]).stdout.split()
    assert modes.count(b"rw-p") == 1 and modes[0] == b"r--p", modes
