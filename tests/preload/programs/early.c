// Allocates in .preinit_array, before any constructor; frees it in main() and at exit.
#include "program.h"

static void *early_block;

static void allocate_early(int argc, char **argv, char **environment)
{
    (void)argc;
    (void)argv;
    (void)environment;
    early_block = malloc(100);
    if (early_block) memset(early_block, 9, 100);
    free(malloc(3 * MIB));
}
__attribute__((section(".preinit_array"), used)) static void (*preinit)(int, char **,
                                                                        char **) = allocate_early;

void *library_block(void); // of library_early.c, made by its constructor

static void last_words(void)
{
    exercise(2);
    free(library_block());
}

int main(void)
{
    EXPECT(atexit(last_words) == 0);
    EXPECT(early_block != NULL && ((char *)early_block)[99] == 9);
    free(early_block);
    exercise(1);
    return 0;
}
