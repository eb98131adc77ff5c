#include "os/group_witness.h"

#include "os/file.h"
#include "os/syscall.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U // Linux 6.3
#endif

enum { STACK_SIZE = 16384 };
#define LOADED_AT UINT64_C(0x10000)

static _Alignas(64) char stack[STACK_SIZE];

// The witness's program: for (;;) pause().
struct program {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    uint8_t code[16];
};

static const struct program program = {
    .header =
        {
            .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
            .e_type = ET_EXEC,
            .e_machine = EM_X86_64,
            .e_version = EV_CURRENT,
            .e_entry = LOADED_AT + offsetof(struct program, code),
            .e_phoff = offsetof(struct program, segment),
            .e_ehsize = sizeof(Elf64_Ehdr),
            .e_phentsize = sizeof(Elf64_Phdr),
            .e_phnum = 1,
        },
    .segment =
        {
            .p_type = PT_LOAD,
            .p_flags = PF_R | PF_X,
            .p_vaddr = LOADED_AT,
            .p_filesz = sizeof(struct program),
            .p_memsz = sizeof(struct program),
            .p_align = 4096,
        },
    .code =
        {
            0xb8, SYS_pause, 0, 0, 0, // mov $SYS_pause, %eax
            0x0f, 0x05,               // syscall
            0xeb, 0xf7,               // jmp to the beginning
        },
};

// Its descriptor, or -1.
static int make_program(void)
{
    int fd = memfd_create("group-witness", MFD_CLOEXEC | MFD_EXEC);
    if (fd < 0) fd = memfd_create("group-witness", MFD_CLOEXEC); // an older kernel
    if (fd < 0) return -1;
    if (file_write(fd, &program, sizeof program) == 0) return fd;
    (void)close(fd);
    return -1;
}

// What the child that becomes the witness is told and tells: its memory is ours until then, so
// libc, which has an errno, is not for it.
struct start {
    int program;
    pid_t parent;
    bool has_failed;
};

static int become(void *context)
{
    struct start *start = context;
    static char *const words[] = {(char *)"[group witness]", NULL}; // only read
    static char *const none[] = {NULL};
    (void)syscall_2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL); // for what it becomes, too
    // Who ended before that was said has left us to another.
    if (syscall_2(SYS_getppid, 0, 0) == start->parent) {
        (void)syscall_6(SYS_execveat, start->program, (long)"", (long)words, (long)none,
                        AT_EMPTY_PATH, 0);
    }
    start->has_failed = true;
    (void)syscall_2(SYS_exit_group, 0, 0);
    return 0;
}

static void end(pid_t pid)
{
    if (pid == 0) return;
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, (int)__WALL) < 0 && errno == EINTR) continue;
}

static void start(struct group_witness *self)
{
    struct start start = {.program = self->program, .parent = getpid()};
    self->pid = 0;
    if (self->program < 0) return;
    // Returns when it has become the witness.
    const pid_t pid = clone(become, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK, &start);
    if (pid < 0) return;
    if (start.has_failed) {
        end(pid);
    } else {
        self->pid = pid;
    }
}

void group_witness_begin(struct group_witness *self)
{
    *self = (struct group_witness){.program = make_program()};
    start(self);
}

void group_witness_end(struct group_witness *self)
{
    end(self->pid);
    if (self->program >= 0) (void)close(self->program);
    *self = (struct group_witness){.program = -1};
}

void group_witness_renew(struct group_witness *self)
{
    const pid_t before = self->pid;
    self->seen = 0;
    start(self);
    end(before);
}

// The signals that wait for a process, as bits from 0 for the first on.
static uint64_t pending(pid_t pid)
{
    char path[64];
    char line[256];
    unsigned long long bits = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *status = fopen(path, "re");
    while (status && fgets(line, sizeof line, status)) {
        if (sscanf(line, "ShdPnd: %llx", &bits) == 1) break;
    }
    if (status) (void)fclose(status);
    return bits;
}

// Those that wait for us.
static uint64_t own_pending(void)
{
    sigset_t set;
    uint64_t bits = 0;
    if (sigpending(&set) < 0) return 0;
    for (int i = 1; i < SIGRTMIN; i++) bits |= (uint64_t)(sigismember(&set, i) == 1) << (i - 1);
    return bits;
}

// Another witness, which nothing waits for.
static void replace(struct group_witness *self, uint64_t taken)
{
    const pid_t before = self->pid;
    start(self);
    // In this order: what has come since the younger one is there has come to that one first. Of
    // what was taken, another may have come.
    const uint64_t all = pending(before) & (~taken | own_pending());
    self->seen |= self->pid != 0 ? all & ~pending(self->pid) : all;
    end(before);
}

bool group_witness_saw(struct group_witness *self, int signal)
{
    enum { LOOKS = 10 };
    static const struct timespec moment = {.tv_nsec = 1000000};
    const uint64_t bit = UINT64_C(1) << (signal - 1);
    if (self->seen & bit) {
        self->seen &= ~bit;
        return true;
    }
    for (int i = 0; self->pid != 0 && i < LOOKS; i++) {
        if (i > 0) (void)nanosleep(&moment, NULL);
        if (!(pending(self->pid) & bit)) continue;
        replace(self, bit);
        return true;
    }
    return false;
}
