// A library with thread-local storage too large for the surplus, so that the loader allocates it.
static __thread int numbers[20000];

int *counter(void);
int *counter(void)
{
    return &numbers[10000];
}
