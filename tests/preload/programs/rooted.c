// Children that change their root, allocate and end: rooted FOLDER.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile sink;

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
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
