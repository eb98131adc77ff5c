// malloc_stats() is no cancellation point, and does not mind who listens: fd 2 closed is no
// failure.
#include "program.h"

#include <pthread.h>
#include <stdbool.h>

static void *print_while_cancelled(void *went_on)
{
    EXPECT(pthread_cancel(pthread_self()) == 0); // takes effect at the next cancellation point
    malloc_stats();
    *(bool *)went_on = true;
    pthread_testcancel();
    return NULL;
}

int main(void)
{
    void *block = malloc(64 * MIB); // with a mapping of its own, to be seen in the figures
    EXPECT(block != NULL);
    bool went_on = false;
    pthread_t thread;
    void *result;
    EXPECT(pthread_create(&thread, NULL, print_while_cancelled, &went_on) == 0);
    EXPECT(pthread_join(thread, &result) == 0);
    EXPECT(went_on && result == PTHREAD_CANCELED);
    puts("went on");
    fflush(stdout);
    close(STDERR_FILENO);
    malloc_stats();
    free(block);
    return 0;
}
