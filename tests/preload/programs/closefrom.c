// A program closes every descriptor it did not open, as daemons do: the heap may hold none.
// The freed descriptors are reused, and nothing may be written to them.
#include "program.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

static void *exercise_once(void *unused)
{
    exercise(1);
    return unused;
}

int main(int argc, char **argv)
{
    EXPECT(argc == 2);
    exercise(0);
    closefrom(3);
    int fds[20];
    for (size_t i = 0; i < 20; i++) {
        fds[i] = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        EXPECT(fds[i] == 3 + (int)i);
    }
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, exercise_once, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    exercise(2);
    (void)malloc_trim(0);
    for (size_t i = 0; i < 20; i++) {
        struct stat status;
        EXPECT(fstat(fds[i], &status) == 0 && status.st_size == 0);
    }
    closefrom(0); // nobody can hear us from here on
    exercise(3);
    return 0;
}
