// A function within a function, whose code is elsewhere.
#include <stdio.h>

static __attribute__((noinline)) int outer(int value)
{
    int sum = 0;
    __attribute__((noinline)) int nested(int more)
    {
        sum += more;
        printf("%d\n", sum);
        return sum;
    }
    return nested(value) + nested(value + 1);
}

int main(int argc, char **argv)
{
    (void)argv;
    printf("%d\n", outer(argc));
    return 0;
}
