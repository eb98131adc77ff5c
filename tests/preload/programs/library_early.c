// A library whose constructor and destructor allocate and whose fork handlers do too. Its
// constructor may run before that of the preload object.
#include "program.h"

#include <pthread.h>

static void *block;

void *library_block(void);
void *library_block(void)
{
    void *taken = block;
    block = NULL;
    return taken;
}

// glibc locks its heap after the handlers ran and unlocks it before, so this must work.
static void at_fork(void)
{
    exercise(7);
    void *many[2000];
    for (size_t i = 0; i < 2000; i++) many[i] = malloc(i + 1); // past every cache
    for (size_t i = 0; i < 2000; i++) free(many[i]);
}

__attribute__((constructor)) static void begin(void)
{
    block = malloc(77);
    exercise(3);
    EXPECT(pthread_atfork(at_fork, at_fork, at_fork) == 0);
}

__attribute__((destructor)) static void end(void)
{
    exercise(4);
    free(block);
}
