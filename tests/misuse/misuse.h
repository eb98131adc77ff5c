// Misuse: what the crimes share. Each file says first, after "expect:", the line that must appear
// on standard error (several: one of them), where ACCUSED, START and SIZE stand for what the
// program prints before it commits its crime. Whoever arrives at the end of main was not caught.
#pragma once

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// Past stdio, which would allocate a buffer and lose it in abort.
static inline void line_print(const char *name, const volatile void *address)
{
    dprintf(STDOUT_FILENO, "%s 0x%lx\n", name, (unsigned long)(uintptr_t)address);
}

// The pointer that is about to be misused, out of the compiler's sight.
static inline void *accused(const volatile void *pointer)
{
    line_print("ACCUSED", pointer);
    return (void *)(uintptr_t)pointer;
}

// Prints what the message will say of a block.
static inline char *described(char *block)
{
    if (!block) _Exit(3);
    line_print("START", block);
    line_print("SIZE", (void *)malloc_usable_size(block));
    return block;
}

// A block with something in it.
static inline char *block_of(size_t size)
{
    char *volatile block = malloc(size);
    return memset(described(block), 1, size);
}

// The same beside blocks that stay: so the page is not used for other sizes once it is freed.
static inline char *block_among_others(size_t size)
{
    block_of(size);
    char *block = block_of(size);
    block_of(size);
    return block;
}

// A function that glibc's headers or glibc itself do not have.
static inline void *function_named(const char *name)
{
    void *function = dlsym(RTLD_DEFAULT, name);
    if (!function) _Exit(3);
    return function;
}

// free, for another thread's main function.
static inline void *free_body(void *block)
{
    free(block);
    return NULL;
}

static inline void free_in_thread(void *block)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, free_body, block) != 0) _Exit(3);
    pthread_join(thread, NULL);
}
