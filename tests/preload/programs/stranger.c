// Frees what nobody allocated; with an argument it is reallocated.
#include "program.h"

int main(int argc, char **argv)
{
    (void)argv;
    static _Alignas(16) char area[64];
    void *volatile stranger = area;
    dprintf(STDOUT_FILENO, "%p\n", stranger);
    if (argc > 1) {
        stranger = realloc(stranger, 100);
    } else {
        free(stranger);
    }
    return 0;
}
