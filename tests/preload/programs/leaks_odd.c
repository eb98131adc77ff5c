// Odd ways to hold memory, and to end: leaks_odd WHAT. None loses a block, none is harmed by a look
// for lost ones. Each is one that a look got wrong, or could.
#include "program.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { PAGE = 4096, BLOCKS = 64 };
#define NOINLINE __attribute__((noinline, noclone))

static void *volatile *kept;

static void *map_pages(size_t count, int flags, int fd)
{
    void *pages = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    EXPECT(pages != MAP_FAILED);
    return pages;
}

static NOINLINE void *block_of(size_t size)
{
    return memset(malloc(size), 0, size);
}

static NOINLINE void fill(void *volatile *place)
{
    for (size_t i = 0; i < BLOCKS; i++) place[i * PAGE / sizeof *place] = block_of(1000);
}

// Looks like a thread block, and ends with its mapping.
static void fake_block(void)
{
    char *pages = map_pages(2, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    EXPECT(mprotect(pages + PAGE, PAGE, PROT_NONE) == 0);
    void *volatile *node = (void *volatile *)(void *)(pages + PAGE - 64);
    node[0] = (void *)node;
    node[2] = (void *)node;
    node[3] = block_of(500);
}

static void shared_read_only(void)
{
    kept = map_pages(BLOCKS, MAP_SHARED | MAP_ANONYMOUS, -1);
    fill(kept);
    EXPECT(mprotect((void *)kept, BLOCKS * PAGE, PROT_READ) == 0);
}

static void shared_mapped_anew(void)
{
    int fd = memfd_create("blocks", 0);
    EXPECT(fd >= 0 && ftruncate(fd, BLOCKS * PAGE) == 0);
    kept = map_pages(BLOCKS, MAP_SHARED, fd);
    fill(kept);
    EXPECT(munmap((void *)kept, BLOCKS * PAGE) == 0);
    kept = map_pages(BLOCKS, MAP_SHARED, fd);
}

// What stands in a block's pages is no memory of the heap's any more.
static void shared_within_a_block(void)
{
    char *block = NULL;
    EXPECT(posix_memalign((void **)&block, PAGE, BLOCKS * PAGE) == 0);
    EXPECT(mmap(block, BLOCKS * PAGE, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == block);
    kept = (void *volatile *)(void *)block;
    fill(kept);
}

// A guard that is in no list of mappings (Linux 6.13).
static void guard_within_a_block(void)
{
    enum { GUARD_INSTALL = 102 };
    char *block = NULL;
    EXPECT(posix_memalign((void **)&block, PAGE, 4 * PAGE) == 0);
    memset(block, 0, 4 * PAGE);
    kept = (void *volatile *)(void *)block;
    kept[3 * PAGE / sizeof *kept] = block_of(500);
    (void)madvise(block + PAGE, PAGE, GUARD_INSTALL);
}

static void *return_at_once(void *argument)
{
    return argument;
}

// The stack of a thread that has ended is a table now.
static void stack_used_again(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    void *stack = map_pages(BLOCKS, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    EXPECT(pthread_attr_init(&attributes) == 0);
    EXPECT(pthread_attr_setstack(&attributes, stack, BLOCKS * PAGE) == 0);
    EXPECT(pthread_create(&thread, &attributes, return_at_once, NULL) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    kept = stack;
    fill(kept);
}

static void exit_now(int number)
{
    exit(number - SIGUSR1);
}

static NOINLINE void hold_and_exit(void)
{
    void *volatile block = block_of(500);
    (void)raise(SIGUSR1);
    free(block);
}

// The interrupted frames lie below the stack that the handler runs on.
static void exit_on_a_stack_within_ours(void)
{
    char space[BLOCKS * KIB];
    const stack_t alternate = {.ss_sp = space, .ss_size = sizeof space};
    const struct sigaction action = {.sa_handler = exit_now, .sa_flags = SA_ONSTACK};
    EXPECT(sigaltstack(&alternate, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    hold_and_exit();
}

// More addresses than there could ever be memory for.
static void large_reservations(void)
{
    size_t size = (size_t)4 << 40;
    (void)mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    kept = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                0);
    EXPECT(kept != MAP_FAILED);
    kept[size / 2 / sizeof *kept] = block_of(500);
}

static void *wait_for_events(void *argument)
{
    struct epoll_event event;
    (void)argument;
    if (epoll_wait(epoll_create1(0), &event, 1, -1) < 0) abort();
    return NULL;
}

// Programs exist that take EINTR for the end of the world.
static void threads_that_bear_no_interruption(void)
{
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, wait_for_events, NULL) == 0);
    }
    usleep(20000);
}

static pthread_barrier_t together;

static void *leave(void *argument)
{
    (void)argument;
    pthread_barrier_wait(&together);
    _exit(0);
}

static void many_leave_at_once(void)
{
    enum { COUNT = 8 };
    EXPECT(pthread_barrier_init(&together, NULL, COUNT + 1) == 0);
    kept = map_pages(BLOCKS, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    fill(kept);
    for (int i = 0; i < COUNT; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, leave, NULL) == 0);
    }
    (void)leave(NULL);
}

static void *answer_faults(void *argument)
{
    int fd = (int)(intptr_t)argument;
    for (;;) {
        struct uffd_msg message;
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (poll(&ready, 1, -1) < 0 || read(fd, &message, sizeof message) <= 0) continue;
        struct uffdio_zeropage zero = {
            .range = {message.arg.pagefault.address & ~(uint64_t)(PAGE - 1), PAGE}};
        (void)ioctl(fd, UFFDIO_ZEROPAGE, &zero);
    }
    return NULL;
}

// Whoever touches the block waits for another thread.
static void pages_that_a_thread_provides(void)
{
    pthread_t thread;
    char *block = NULL;
    int fd = (int)syscall(SYS_userfaultfd, 0);
    struct uffdio_api api = {.api = UFFD_API};
    if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0) return; // not allowed here
    EXPECT(posix_memalign((void **)&block, PAGE, 4 * PAGE) == 0);
    memset(block, 0, 4 * PAGE);
    struct uffdio_register pages = {.range = {(uintptr_t)block, 4 * PAGE},
                                    .mode = UFFDIO_REGISTER_MODE_MISSING};
    kept = (void *volatile *)(void *)block;
    if (ioctl(fd, UFFDIO_REGISTER, &pages) < 0) return;
    EXPECT(madvise(block, 4 * PAGE, MADV_DONTNEED) == 0);
    EXPECT(pthread_create(&thread, NULL, answer_faults, (void *)(intptr_t)fd) == 0);
}

static NOINLINE void *of_parent(void)
{
    return block_of(100);
}

static NOINLINE void lost_by_child(void)
{
    (void)block_of(100);
}

// Where a child puts its own is no more its parent's.
static void child_uses_places_again(void)
{
    enum { COUNT = 1000 };
    static void *volatile all[COUNT];
    for (size_t i = 0; i < COUNT; i++) all[i] = of_parent();
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < COUNT; i++) free(all[i]);
        for (size_t i = 0; i < COUNT; i++) all[i] = NULL;
        for (size_t i = 0; i < COUNT; i++) lost_by_child();
        _exit(0);
    }
    EXPECT(waitpid(child, NULL, 0) == child);
}

// --- looks that meet
// --------------------------------------------------------------------------------

static int look(void)
{
    int (*check)(void);
    *(void **)&check = dlsym(RTLD_DEFAULT, "__lsan_do_recoverable_leak_check");
    return check ? check() : 0;
}

static void *look_often(void *unused)
{
    for (int i = 0; i < 10; i++) EXPECT(look() == 0);
    return unused;
}

static void many_look_at_once(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) EXPECT(pthread_create(&threads[i], NULL, look_often, NULL) == 0);
    for (int i = 0; i < 4; i++) EXPECT(pthread_join(threads[i], NULL) == 0);
}

static void *exit_too(void *unused)
{
    exit(0);
    return unused;
}

// The second finds that libc has no handler left to call.
static void two_exits(void)
{
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, exit_too, NULL) == 0);
    exit(0);
}

static volatile sig_atomic_t has_come;
static volatile bool has_left;

static void come(int unused)
{
    (void)unused;
    has_come = 1;
}

static void *wait_until_it_comes(void *unused)
{
    struct epoll_event event;
    int fd = epoll_create1(0);
    while (!has_come) {
        if (epoll_wait(fd, &event, 1, -1) < 0) EXPECT(errno == EINTR && has_come);
    }
    has_left = true;
    return unused;
}

// A signal that comes during a look ends epoll_wait() all the same; a look alone does not.
static void a_signal_during_a_look(void)
{
    struct sigaction action = {.sa_handler = come};
    pthread_t thread;
    sigset_t set;
    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
    EXPECT(pthread_create(&thread, NULL, wait_until_it_comes, NULL) == 0);
    usleep(10000);
    for (int i = 0; i < 5; i++) (void)look();
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EXPECT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 200; i++) (void)kill(getppid(), i < 100 ? 0 : SIGUSR1);
        _exit(0);
    }
    for (int i = 0; i < 20; i++) (void)look();
    EXPECT(waitpid(child, NULL, 0) == child);
    for (int i = 0; i < 1000 && !has_left; i++) usleep(1000);
    EXPECT(has_left);
}

static void *have_signal_stack(void *argument)
{
    stack_t stack = {.ss_size = 65536};
    stack.ss_sp = malloc(stack.ss_size);
    EXPECT(sigaltstack(&stack, argument ? &stack : NULL) == 0); // which the kernel allows
    stack.ss_sp = NULL;
    if (!argument) return NULL;
    (void)pthread_barrier_wait(argument);
    for (;;) pause();
}

// What the kernel alone knows of: the caller's, and another thread's.
static void signal_stacks(void)
{
    static pthread_barrier_t barrier;
    pthread_t thread;
    EXPECT(pthread_barrier_init(&barrier, NULL, 2) == 0);
    EXPECT(pthread_create(&thread, NULL, have_signal_stack, &barrier) == 0);
    (void)pthread_barrier_wait(&barrier);
    (void)have_signal_stack(NULL);
}

// GS is the program's own: some have their thread's data there.
static NOINLINE void hold_by_gs(void)
{
    enum { SET_GS = 0x1001, FSGSBASE = 2 };
    void *volatile block = block_of(500);
    if (getauxval(AT_HWCAP2) & FSGSBASE)
        (void)syscall(SYS_arch_prctl, SET_GS, block);
    else
        kept = block;
    block = NULL;
}

static void held_by_gs(void)
{
    volatile char space[16384];
    hold_by_gs();
    for (size_t i = 0; i < sizeof space; i++) space[i] = 0;
}

static void *exit_at_once(void *barrier)
{
    (void)pthread_barrier_wait(barrier);
    exit(0);
}

static void many_exits(void)
{
    static pthread_barrier_t barrier;
    pthread_t thread;
    EXPECT(pthread_barrier_init(&barrier, NULL, 8) == 0);
    for (int i = 0; i < 8; i++) EXPECT(!pthread_create(&thread, NULL, exit_at_once, &barrier));
    for (;;) pause();
}

static void come_to_exit(int unused)
{
    (void)unused;
    exit(0);
}

// A handler that comes during the last look, or before it, ends the process, too.
static void exit_in_a_handler(void)
{
    struct itimerval soon = {{0, 0}, {0, 20000}};
    for (size_t i = 0; i < 300000; i++) {
        void **block = malloc(32);
        *block = (void *)kept;
        kept = block;
    }
    (void)signal(SIGALRM, come_to_exit);
    EXPECT(setitimer(ITIMER_REAL, &soon, NULL) == 0);
}

// A block that nothing leads to but that the program has told of.
static void regions(void)
{
    void (*tell)(const void *, size_t);
    *(void **)&tell = dlsym(RTLD_DEFAULT, "__lsan_register_root_region");
    void **region = block_of(20000);
    region[2000] = block_of(100);
    if (tell) tell(region, 20000);
    if (tell) tell((void *)4096, (size_t)1 << 46); // or nearly all that there is
}

static const struct {
    const char *name;
    void (*run)(void);
} all[] = {
    {"many_look_at_once", many_look_at_once},
    {"two_exits", two_exits},
    {"many_exits", many_exits},
    {"exit_in_a_handler", exit_in_a_handler},
    {"signal_stacks", signal_stacks},
    {"held_by_gs", held_by_gs},
    {"a_signal_during_a_look", a_signal_during_a_look},
    {"regions", regions},
    {"fake_block", fake_block},
    {"shared_read_only", shared_read_only},
    {"shared_mapped_anew", shared_mapped_anew},
    {"shared_within_a_block", shared_within_a_block},
    {"guard_within_a_block", guard_within_a_block},
    {"stack_used_again", stack_used_again},
    {"exit_on_a_stack_within_ours", exit_on_a_stack_within_ours},
    {"large_reservations", large_reservations},
    {"threads_that_bear_no_interruption", threads_that_bear_no_interruption},
    {"many_leave_at_once", many_leave_at_once},
    {"pages_that_a_thread_provides", pages_that_a_thread_provides},
    {"child_uses_places_again", child_uses_places_again},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (argc == 2 && strcmp(argv[1], all[i].name) == 0) {
            all[i].run();
            return 0;
        }
    }
    return 2;
}
