// A program with a malloc of its own, which looks for the real one in libc by its handle: that must
// not be its own again.
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static void *(*real_malloc)(size_t);
static void (*real_free)(void *);
static char pool[1 << 16]; // for whoever asks before it is found
static size_t used;
static int calls;

static void look(void)
{
    static int is_looking;
    if (is_looking) return;
    is_looking = 1;
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    real_free = (void (*)(void *))dlsym(libc, "free");
    real_malloc = (void *(*)(size_t))dlsym(libc, "malloc");
    is_looking = 0;
}

void *malloc(size_t size)
{
    if (!real_malloc) look();
    if (!real_malloc) {
        void *block = pool + used;
        used += (size + 15) & ~(size_t)15;
        return block;
    }
    calls++;
    return real_malloc(size);
}

void free(void *block)
{
    if (!block || ((char *)block >= pool && (char *)block < pool + sizeof pool)) return;
    real_free(block);
}

void *calloc(size_t count, size_t size)
{
    void *block = malloc(count * size);
    return block ? memset(block, 0, count * size) : NULL;
}

void *realloc(void *block, size_t size)
{
    void *moved = malloc(size);
    if (!block || !moved) return moved;
    memcpy(moved, block, size);
    free(block);
    return moved;
}

int main(void)
{
    for (int i = 0; i < 100; i++) free(malloc(10));
    return calls >= 100 ? 0 : 1;
}
