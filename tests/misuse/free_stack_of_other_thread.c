// expect: free(ACCUSED): not from this heap
#include "misuse.h"

static void *crime(void *unused)
{
    _Alignas(16) char local[64] = {0};
    free(accused(local));
    return unused;
}

int main(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, crime, NULL) != 0) return 3;
    pthread_join(thread, NULL);
    return 0;
}
