// Says whether it runs with somebody else's rights, and allocates.
#include "program.h"

#include <sys/auxv.h>

int main(void)
{
    exercise(0);
    puts(getauxval(AT_SECURE) ? "secure" : "ordinary");
    return 0;
}
