// A vfork()ed child borrows its parent's memory and thread: what it allocates and frees is the
// parent's heap afterwards. (POSIX forbids it; shells and libraries do it, and glibc survives.)
#include "program.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static void *volatile from_parent;
static void *volatile from_child;

static void wait_for(pid_t child, int expected)
{
    int status;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == expected);
}

static void vfork_once(void)
{
    from_parent = malloc(100);
    pid_t child = vfork();
    EXPECT(child >= 0);
    if (child == 0) {
        free(from_parent);
        from_child = malloc(200);
        if (from_child) memset(from_child, 6, 200);
        free(malloc(4000));
        _exit(from_child ? 3 : 1);
    }
    wait_for(child, 3);
    EXPECT(((char *)from_child)[199] == 6);
    free(from_child);
}

int main(void)
{
    for (int i = 0; i < 50; i++) {
        vfork_once();
        exercise((unsigned)i);
    }
    pid_t child = vfork();
    EXPECT(child >= 0);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 4", (char *)NULL);
        _exit(1);
    }
    wait_for(child, 4);
    char *arguments[] = {"sh", "-c", "exit 5", NULL};
    EXPECT(posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environ) == 0);
    wait_for(child, 5);
    EXPECT(WEXITSTATUS(system("exit 6")) == 6);
    exercise(1);
    return 0;
}
