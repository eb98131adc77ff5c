// The process is what its program made it, right after so much was freed that a helper is due to
// return it: the kernel and libc see one thread where it matters.
#include "program.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 5000, SIZE = 8000, NOBODY = 65534 };

// 40 MB in pieces: more than the heap keeps.
static void use_and_free_much(void)
{
    static char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(SIZE);
        EXPECT(blocks[i]);
        memset(blocks[i], 1, SIZE);
    }
    for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
}

// In a child of its own each: the calls are for good.
static void in_child(void (*body)(void))
{
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        use_and_free_much();
        body();
        exit(0);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(status == 0);
}

static int field_of(const char *path, const char *format)
{
    FILE *file = fopen(path, "r");
    EXPECT(file);
    char line[256];
    int value = -1;
    while (value < 0 && fgets(line, sizeof line, file)) (void)sscanf(line, format, &value);
    fclose(file);
    return value;
}

// Every task of the process has that line in its status.
static void expect_of_all_tasks(const char *format, int value)
{
    DIR *tasks = opendir("/proc/self/task");
    EXPECT(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));) {
        if (entry->d_name[0] == '.') continue;
        char path[300];
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        EXPECT(field_of(path, format) == value);
    }
    closedir(tasks);
}

static void give_up_root(void)
{
    EXPECT(setgid(NOBODY) == 0);
    expect_of_all_tasks("Gid: %d", NOBODY);
    EXPECT(setuid(NOBODY) == 0);
    expect_of_all_tasks("Uid: %d", NOBODY);
    use_and_free_much(); // a helper may come again, with what is left
    expect_of_all_tasks("Uid: %d", NOBODY);
}

static void give_up_root_for_a_while(void)
{
    EXPECT(setresgid(-1, NOBODY, -1) == 0);
    EXPECT(setresuid(-1, NOBODY, -1) == 0);
    expect_of_all_tasks("Uid: %*d %d", NOBODY);
    EXPECT(seteuid(0) == 0);
    expect_of_all_tasks("Uid: %*d %d", 0);
}

static void lock_out_new_rights(void)
{
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    expect_of_all_tasks("NoNewPrivs: %d", 1);
}

// A filter that takes prctl() for an attack: nobody may ask anything with it after that.
static void lock_out_prctl(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = 4, .filter = filter};
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    use_and_free_much();
}

static void leave_namespace(void)
{
    // Where it is not allowed at all, it is refused with EPERM or ENOSPC, for whatever reason.
    if (unshare(CLONE_NEWUSER) != 0) EXPECT(errno != EINVAL);
}

// What python3.12 looks at to warn of forks beside threads.
static void fork_as_one(void)
{
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) _exit(0);
    EXPECT(field_of("/proc/self/status", "Threads: %d") == 1);
    EXPECT(waitpid(child, NULL, 0) == child);
}

// Without handlers, as a lone thread may.
static void fork_without_handlers(void)
{
    for (int i = 0; i < 20; i++) {
        use_and_free_much();
        pid_t child = _Fork();
        EXPECT(child >= 0);
        if (child == 0) {
            alarm(20);
            use_and_free_much();
            _exit(0);
        }
        int status;
        EXPECT(waitpid(child, &status, 0) == child);
        EXPECT(status == 0);
    }
}

static volatile sig_atomic_t forks;

// All of it is async-signal-safe.
static void fork_and_wait(int signal)
{
    (void)signal;
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    pid_t child = _Fork();
    if (child == 0) _exit(0);
    if (child > 0) (void)waitpid(child, NULL, 0);
    forks = forks + 1;
}

static void *wait_for_ever(void *blocked)
{
    (void)pthread_sigmask(SIG_BLOCK, blocked, NULL);
    for (;;) pause();
    return NULL;
}

// Beside another thread, and amid large blocks that come and go.
static void fork_in_handlers(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, wait_for_ever, &all) == 0);
    struct sigaction action = {.sa_handler = fork_and_wait, .sa_flags = SA_RESTART};
    EXPECT(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval timer = {{0, 2000}, {0, 2000}};
    EXPECT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    while (forks < 200) {
        char *blocks[8];
        for (int i = 0; i < 8; i++) {
            blocks[i] = malloc(8 << 20);
            blocks[i][0] = 1;
        }
        for (int i = 0; i < 8; i++) free(blocks[i]);
    }
    timer = (struct itimerval){0};
    EXPECT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

int main(void)
{
    if (getuid() == 0) {
        in_child(give_up_root);
        in_child(give_up_root_for_a_while);
    }
    in_child(lock_out_new_rights);
    in_child(lock_out_prctl);
    in_child(leave_namespace);
    in_child(fork_as_one);
    in_child(fork_without_handlers);
    in_child(fork_in_handlers);
    return 0;
}
