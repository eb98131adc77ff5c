// Idle: what does an allocator cost a program that hardly allocates?
// Allocates once, prints once, lets N threads allocate once each and rest, if asked to, then prints
// its own anonymous and resident memory as /proc/self/smaps_rollup has them.
//
// Usage: idle [THREADS]
// Prints: anonymous_kib= resident_kib= threads=
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK_SIZE = 100,
    THREAD_COUNT_MAX = 1024,
    THREAD_STACK_SIZE = 256 * 1024, // small and equal for all, so that only touched pages differ
};

static struct idle {
    pthread_barrier_t all_allocated; // the threads and main
    pthread_barrier_t all_measured;
    pthread_t threads[THREAD_COUNT_MAX];
} idle;

_Noreturn static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void *allocate_once(void)
{
    char *block = malloc(BLOCK_SIZE);
    if (block == NULL) fail("malloc");
    memset(block, 1, BLOCK_SIZE);
    return block;
}

static void *rest(void *unused)
{
    void *block = allocate_once();
    (void)pthread_barrier_wait(&idle.all_allocated); // its result only elects a thread
    (void)pthread_barrier_wait(&idle.all_measured);
    free(block);
    return unused;
}

static void threads_start(unsigned count)
{
    pthread_attr_t attributes;
    if (pthread_barrier_init(&idle.all_allocated, NULL, count + 1) ||
        pthread_barrier_init(&idle.all_measured, NULL, count + 1) ||
        pthread_attr_init(&attributes) ||
        pthread_attr_setstacksize(&attributes, THREAD_STACK_SIZE)) {
        fail("threads");
    }
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&idle.threads[i], &attributes, rest, NULL)) fail("pthread_create");
    }
    (void)pthread_attr_destroy(&attributes); // cannot fail
}

// The value of one line of smaps_rollup, in KiB.
static long rollup_field(const char *text, const char *name)
{
    const char *line = strstr(text, name);
    if (line == NULL) fail(name);
    return strtol(line + strlen(name), NULL, 10);
}

static void print_memory(unsigned thread_count)
{
    char text[4096]; // the file is about 700 bytes
    int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("/proc/self/smaps_rollup");
    size_t len = 0;
    ssize_t got;
    while ((got = read(fd, text + len, sizeof text - 1 - len)) > 0) len += (size_t)got;
    (void)close(fd); // read only: nothing to lose
    text[len] = '\0';
    printf("anonymous_kib=%ld resident_kib=%ld threads=%u\n", rollup_field(text, "\nAnonymous:"),
           rollup_field(text, "\nRss:"), thread_count);
}

int main(int argc, char **argv)
{
    unsigned thread_count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    if (thread_count > THREAD_COUNT_MAX) fail("threads");
    void *block = allocate_once();
    puts("idle"); // stdio's own buffer belongs to an ordinary program
    threads_start(thread_count);
    (void)pthread_barrier_wait(&idle.all_allocated); // its result only elects a thread
    print_memory(thread_count);
    (void)pthread_barrier_wait(&idle.all_measured);
    for (unsigned i = 0; i < thread_count; i++) {
        if (pthread_join(idle.threads[i], NULL)) fail("pthread_join");
    }
    free(block);
    return fflush(stdout) == 0 ? 0 : 1;
}
