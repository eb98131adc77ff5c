// Leaks: a program that knows of each of its blocks whether it is lost when it ends: functions
// whose names begin with lost_ lose what they allocate, behind_ with the block before it; held_
// keep it in use, inside_ by a pointer into it alone. leaks THREADS END: so many further threads
// hold one block each in a register, on the stack and in TLS, and it ends by END: return, exit,
// _exit, quick_exit, thread.
//
// Copies of pointers that nobody uses any more are cleared: a conservative look may miss, and these
// are not what it should be blamed for.
#include "program.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <ucontext.h>

struct node {
    struct node *next;
    char rest[40];
};

#define NOINLINE __attribute__((noinline, noclone))

// Overwrites what calls have left below the caller's frame, and the registers that they change.
static NOINLINE void clear_traces(void)
{
    volatile char space[32 * 1024];
    for (size_t i = 0; i < sizeof space; i++) space[i] = 0;
    __asm__ volatile("xor %%eax, %%eax\n\txor %%ecx, %%ecx\n\txor %%edx, %%edx\n\t"
                     "xor %%esi, %%esi\n\txor %%edi, %%edi\n\txor %%r8d, %%r8d\n\t"
                     "xor %%r9d, %%r9d\n\txor %%r10d, %%r10d\n\txor %%r11d, %%r11d\n\t"
                     "pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1"
                     :
                     :
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1");
}

// --- lost

static NOINLINE void lost_first(void)
{
    memset(malloc(101), 1, 101);
}

static NOINLINE void lost_second(void)
{
    for (int i = 0; i < 3; i++) memset(malloc(202), 1, 202);
}

static NOINLINE void lost_large(void)
{
    memset(malloc(300000), 1, 300000);
}

// Behind each block that is kept, with a pointer to its end as buffers have.
static void *volatile buffers[16];

static NOINLINE void *held_with_its_end(void)
{
    return malloc(1024);
}

static NOINLINE void lost_behind_ends(void)
{
    for (size_t i = 0; i < 16; i += 2) {
        buffers[i] = held_with_its_end();
        buffers[i + 1] = (char *)buffers[i] + 1024;
        memset(malloc(1024), 1, 1024);
    }
}

static NOINLINE struct node *behind_head(struct node *next)
{
    struct node *node = malloc(sizeof *node);
    memset(node, 0, sizeof *node);
    node->next = next;
    return node;
}

static NOINLINE void lost_list(void)
{
    struct node *rest = NULL;
    for (int i = 0; i < 9; i++) rest = behind_head(rest);
    struct node *head = malloc(sizeof *head);
    memset(head, 0, sizeof *head);
    head->next = rest;
}

static NOINLINE struct node *cycle_node(struct node *next)
{
    struct node *node = malloc(sizeof *node);
    memset(node, 0, sizeof *node);
    node->next = next;
    return node;
}

static NOINLINE void lost_cycle(void)
{
    struct node *first = cycle_node(NULL);
    first->next = cycle_node(first);
}

static volatile uintptr_t hidden;

static NOINLINE void lost_hidden(void)
{
    hidden = (uintptr_t)malloc(303) ^ 0x5555555555555555;
}

// Points to itself, and to what is in use.
static void *volatile held_by_global_block;

static NOINLINE void lost_with_way_out(void)
{
    void **block = malloc(404);
    memset(block, 0, 404);
    block[0] = block;
    block[1] = held_by_global_block;
}

static __thread void *volatile thread_variable;

static NOINLINE void lost_on_a_thread_stack(void **place)
{
    *place = malloc(505);
}

static NOINLINE void lost_in_thread_variable(void)
{
    thread_variable = malloc(606);
}

static void *lose_with_thread(void *argument)
{
    void *volatile place;
    lost_on_a_thread_stack((void **)&place);
    lost_in_thread_variable();
    clear_traces();
    (void)argument;
    return NULL;
}

static NOINLINE void *lost_argument(void)
{
    return malloc(707);
}

static void *ignore_argument(void *argument)
{
    (void)argument;
    return NULL;
}

static NOINLINE void run_thread(void *(*work)(void *), void *argument)
{
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, work, argument) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
}

// --- in use

static NOINLINE void *held_by_global(void)
{
    return malloc(111);
}

static void *volatile inside_global;

static NOINLINE void inside_by_global(void)
{
    inside_global = (char *)malloc(112) + 60;
}

static NOINLINE void held_by_block(void)
{
    void **block = malloc(113);
    memset(block, 0, 113);
    block[3] = malloc(114);
    *(void **)held_by_global_block = block;
}

static NOINLINE void held_by_main_variable(void)
{
    thread_variable = malloc(115);
}

static pthread_key_t key;

static NOINLINE void held_by_key(void)
{
    EXPECT(pthread_setspecific(key, malloc(116)) == 0);
}

static NOINLINE void *held_by_main_stack(void)
{
    return malloc(117);
}

static void *volatile *mapped;

static NOINLINE void held_by_mapping(void)
{
    mapped[7] = malloc(118);
}

static volatile uintptr_t tagged;

static NOINLINE void held_with_tag(void)
{
    tagged = (uintptr_t)malloc(119) | UINT64_C(0xfff8) << 48;
}

static void *volatile *unreadable;

static NOINLINE void held_by_unreadable(void)
{
    unreadable[5] = malloc(120);
    EXPECT(mprotect((void *)unreadable, 4096, PROT_NONE) == 0);
}

static void *guarded; // a block whose middle page cannot be read

static NOINLINE void held_behind_guard(void)
{
    EXPECT(posix_memalign(&guarded, 4096, 3 * 4096) == 0);
    memset(guarded, 0, 3 * 4096);
    ((void **)guarded)[1200] = malloc(121);
    EXPECT(mprotect((char *)guarded + 4096, 4096, PROT_NONE) == 0);
}

static NOINLINE void *held_by_result(void)
{
    return malloc(122);
}

static volatile pid_t returning; // the thread that does

static void *return_block(void *argument)
{
    (void)argument;
    void *block = held_by_result();
    returning = gettid();
    return block;
}

static NOINLINE void held_by_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = malloc(124)};
    EXPECT(epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, eventfd(0, 0), &event) == 0);
}

static ucontext_t main_context;
static ucontext_t coroutine_context;

static NOINLINE void *held_by_coroutine(void)
{
    return malloc(123);
}

static void run_coroutine(void)
{
    void *volatile block = held_by_coroutine();
    swapcontext(&coroutine_context, &main_context); // and never comes back
    free(block);
}

static NOINLINE void start_coroutine(void)
{
    size_t size = 64 * 1024;
    getcontext(&coroutine_context);
    coroutine_context.uc_stack.ss_sp =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    coroutine_context.uc_stack.ss_size = size;
    coroutine_context.uc_link = NULL;
    makecontext(&coroutine_context, run_coroutine, 0);
    swapcontext(&main_context, &coroutine_context);
}

// --- by threads that live

static pthread_barrier_t ready;
static volatile int never;

static NOINLINE void *held_in_register(void)
{
    return malloc(131);
}

static NOINLINE void held_on_thread_stack(void **place)
{
    *place = malloc(132);
}

static NOINLINE void held_in_thread_variable(void)
{
    thread_variable = malloc(133);
}

// The block is in R12 alone.
static void *hold_in_register(void *argument)
{
    (void)argument;
    register void *block __asm__("r12") = held_in_register();
    clear_traces();
    __asm__ volatile("" : "+r"(block));
    pthread_barrier_wait(&ready);
    __asm__ volatile("1: pause\n\tmov $35, %%eax\n\tlea 2f(%%rip), %%rdi\n\txor %%esi, %%esi\n\t"
                     "syscall\n\tjmp 1b\n\t.align 8\n2: .quad 1000, 0" // nanosleep
                     : "+r"(block)
                     :
                     : "rax", "rcx", "rdi", "rsi", "r11", "memory");
    return block;
}

static void *hold_on_stack(void *argument)
{
    void *volatile block;
    (void)argument;
    held_on_thread_stack((void **)&block);
    clear_traces();
    pthread_barrier_wait(&ready);
    while (!never) pause();
    free(block);
    return NULL;
}

static void *hold_in_variable(void *argument)
{
    (void)argument;
    held_in_thread_variable();
    clear_traces();
    pthread_barrier_wait(&ready);
    while (!never) pause();
    return NULL;
}

static void start_threads(unsigned count)
{
    static void *(*const works[])(void *) = {hold_in_register, hold_on_stack, hold_in_variable};
    pthread_attr_t small;
    EXPECT(pthread_attr_init(&small) == 0);
    EXPECT(pthread_attr_setstacksize(&small, 128 * KIB) == 0);
    EXPECT(pthread_barrier_init(&ready, NULL, count + 4) == 0);
    for (unsigned i = 0; i < count + 3; i++) {
        pthread_t thread;
        EXPECT(pthread_create(&thread, &small, works[i % 3], NULL) == 0);
    }
    pthread_barrier_wait(&ready);
}

// --- the end

static void *end_in_thread(void *argument)
{
    (void)argument;
    exit(0);
}

static void end(const char *how)
{
    pthread_t thread;
    if (strcmp(how, "exit") == 0) exit(0);
    if (strcmp(how, "_exit") == 0) _exit(0);
    if (strcmp(how, "quick_exit") == 0) quick_exit(0);
    if (strcmp(how, "thread") == 0) {
        EXPECT(pthread_create(&thread, NULL, end_in_thread, NULL) == 0);
        pthread_join(thread, NULL);
    }
}

static NOINLINE void lose(void)
{
    lost_first();
    lost_second();
    lost_large();
    lost_behind_ends();
    lost_list();
    lost_cycle();
    lost_hidden();
    lost_with_way_out();
    run_thread(lose_with_thread, NULL);
    run_thread(ignore_argument, lost_argument());
}

static NOINLINE void hold(void)
{
    pthread_t unjoined;
    held_by_block();
    inside_by_global();
    held_by_main_variable();
    held_by_key();
    held_by_mapping();
    held_with_tag();
    held_by_unreadable();
    held_behind_guard();
    held_by_epoll();
    start_coroutine();
    EXPECT(pthread_create(&unjoined, NULL, return_block, NULL) == 0);
    while (!returning || tgkill(getpid(), returning, 0) == 0) usleep(1000); // until it has ended
}

int main(int argc, char **argv)
{
    EXPECT(argc == 3);
    EXPECT(pthread_key_create(&key, NULL) == 0);
    mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unreadable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    held_by_global_block = held_by_global();
    memset(held_by_global_block, 0, 111);
    lose();
    clear_traces();
    hold();
    start_threads((unsigned)atoi(argv[1]));
    void *volatile block = held_by_main_stack();
    clear_traces();
    end(argv[2]);
    block = NULL; // whoever returns from main holds nothing on its stack any more
    clear_traces();
    return block != NULL;
}
