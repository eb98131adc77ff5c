// A program that allocates a little, prints a line and ends.
#include "program.h"

int main(void)
{
    exercise(0);
    puts("done");
    return 0;
}
