// Protects: the package that the mend names is one that exists: the one that has the file.
#include "report/package.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/mete-test-package-XXXXXX";

static const char *const lists[][2] = {
    {"libglib2.0-0:amd64.list",
     "/.\n/usr\n/usr/lib\n/usr/lib/x86_64-linux-gnu/libgobject-2.0.so.0.7400.6\n"},
    {"libselinux1:amd64.list", "/.\n/lib\n/lib/x86_64-linux-gnu/libselinux.so.1\n"},
    {"ripgrep.list", "/.\n/usr/bin/rg\n"},
    {"nano.list", "/.\n/opt/usr/bin/rg2\n/bin/nano\n/usr/games/nano-game\n"},
    {"nano.md5sums", "/usr/bin/wrong\n"},
    {"first.list", "/usr/bin/first\n"},
    {"broken.list", "/usr/bin/unended"},
    {"empty.list", ""},
};

static int folder_make(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", folder, lists[i][0]);
        FILE *file = fopen(path, "we");
        if (!file) return -1;
        (void)fputs(lists[i][1], file);
        (void)fclose(file);
    }
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", folder, lists[i][0]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static void check_found(const char *file, const char *expected)
{
    char name[PACKAGE_NAME_SIZE] = "";
    assert_true(package_find(folder, file, name));
    assert_string_equal(name, expected);
}

static void check_missing(const char *file)
{
    char name[PACKAGE_NAME_SIZE] = "untouched";
    assert_false(package_find(folder, file, name));
    assert_string_equal(name, "untouched");
}

static void a_file_is_in_the_package_whose_list_names_it(void **state)
{
    (void)state;
    check_found("/usr/lib/x86_64-linux-gnu/libgobject-2.0.so.0.7400.6", "libglib2.0-0");
    check_found("/usr/bin/rg", "ripgrep");
    check_found("/usr/bin/first", "first");
    check_found("/usr/games/nano-game", "nano");
}

static void what_lies_below_usr_may_be_listed_without_it(void **state)
{
    (void)state;
    check_found("/usr/lib/x86_64-linux-gnu/libselinux.so.1", "libselinux1");
    check_found("/lib/x86_64-linux-gnu/libselinux.so.1", "libselinux1");
    check_found("/lib/x86_64-linux-gnu/libgobject-2.0.so.0.7400.6", "libglib2.0-0");
    check_found("/usr/bin/nano", "nano");
}

static void what_no_list_names_is_in_no_package(void **state)
{
    (void)state;
    check_missing("/usr/bin/r");
    check_missing("/bin/g");
    check_missing("/usr/bin/rg2"); // the end of a longer path
    check_missing("/games/nano-game");
    check_missing("/usr/bin/wrong"); // no list
    check_missing("/usr/bin/unended");
    check_missing("rg");
    check_missing("");
    check_missing("/usr/bin/rg\n/usr");
    char name[PACKAGE_NAME_SIZE];
    assert_false(package_find("/nonexistent", "/usr/bin/rg", name));
}

static void check_symbols(const char *package, const char *expected)
{
    char name[PACKAGE_NAME_SIZE + 8];
    package_of_symbols(package, name, sizeof name);
    assert_string_equal(name, expected);
}

static void debug_symbols_are_where_debian_puts_them(void **state)
{
    (void)state;
    check_symbols("coreutils", "coreutils-dbgsym");
    check_symbols("libc6", "libc6-dbg");
    check_symbols("python3.11-minimal", "python3.11-dbg");
    check_symbols("libpython3.11", "python3.11-dbg");
    check_symbols("python3-numpy", "python3-numpy-dbgsym");
    check_symbols("python3.11-venv", "python3.11-venv-dbgsym");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_in_the_package_whose_list_names_it),
        cmocka_unit_test(what_lies_below_usr_may_be_listed_without_it),
        cmocka_unit_test(what_no_list_names_is_in_no_package),
        cmocka_unit_test(debug_symbols_are_where_debian_puts_them),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
