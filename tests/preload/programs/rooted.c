// Children that change their root, allocate and end: rooted FOLDER. Or a process that does, goes on
// and has a child: rooted FOLDER itself.
#include "stacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile sink;

static void keep(void)
{
    sink = malloc(60);
}

static int go_on(const char *folder)
{
    int status = 0;
    if (chroot(folder) < 0 || chdir("/") < 0) return 3;
    for (unsigned long i = 0; i < 1024; i++) wind(1024 + i, keep); // the recording has to grow
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 20; i++) sink = malloc(70);
        return 0;
    }
    if (waitpid(child, &status, 0) != child || status != 0) return 4;
    for (int i = 0; i < 5; i++) sink = malloc(90);
    puts("out");
    return 5;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    if (argc > 2) return go_on(argv[1]);
    for (int i = 0; i < 10; i++) sink = malloc(50);
    for (int i = 0; i < 3; i++) {
        pid_t child = fork();
        int status = 0;
        if (child == 0) {
            if (chroot(argv[1]) < 0) return 3;
            for (int j = 0; j < 1000; j++) free(malloc(50));
            sink = malloc(50);
            puts("child");
            return 0;
        }
        if (waitpid(child, &status, 0) != child || status != 0) return 4;
    }
    puts("parent");
    return 0;
}
