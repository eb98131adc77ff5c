// A process with very many live blocks, for a look for leaks at its end: COUNT blocks of 96 bytes,
// each with a pointer to the next and one to any other; `in_order`: the next is the one allocated
// before it, `at_random`: any. THREADS further threads hold a block each, and one behind it. Ends
// by exit().
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct node {
    struct node *next;
    struct node *other;
    char rest[80];
};

static struct node *volatile head;
static pthread_barrier_t ready;

static uint64_t random_number(void)
{
    static uint64_t state = 88172645463325252; // xorshift64 (G. Marsaglia, 2003)
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void *hold(void *unused)
{
    void *volatile block = malloc(64);
    (void)unused;
    memset(block, 0, 64);
    *(void **)block = calloc(1, 32);
    pthread_barrier_wait(&ready);
    for (;;) pause();
    return block;
}

static int start_threads(unsigned count)
{
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    pthread_barrier_init(&ready, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, hold, NULL) != 0) return 1;
    }
    pthread_barrier_wait(&ready);
    return 0;
}

static int fill(size_t count, int is_random)
{
    struct node **all = malloc(count * sizeof *all);
    if (!all) return 1;
    for (size_t i = 0; i < count; i++) {
        all[i] = calloc(1, sizeof *all[i]);
        if (!all[i]) return 1;
    }
    for (size_t i = count - 1; is_random && i > 0; i--) {
        size_t j = random_number() % (i + 1);
        struct node *one = all[i];
        all[i] = all[j];
        all[j] = one;
    }
    for (size_t i = 0; i < count; i++) {
        all[i]->next = head;
        all[i]->other = all[random_number() % count];
        head = all[i];
    }
    free(all);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fprintf(stderr, "usage: leak_scan COUNT THREADS in_order|at_random\n");
        return 2;
    }
    if (fill(strtoul(argv[1], NULL, 10), strcmp(argv[3], "at_random") == 0)) return 1;
    return start_threads((unsigned)strtoul(argv[2], NULL, 10));
}
