// Misuse: what the crimes share. Each file says first, after "expect:", the line that must appear
// on standard error (several: one of them), where ACCUSED and START stand for the addresses that
// the program prints before it commits its crime. Whoever arrives at the end of main was not
// caught.
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

static inline void line_print(const char *name, const volatile void *address)
{
    dprintf(STDOUT_FILENO, "%s %p\n", name, (const void *)(uintptr_t)address); // no stdio buffer
}

// The pointer that is about to be misused, out of the compiler's sight.
static inline void *accused(const volatile void *pointer)
{
    line_print("ACCUSED", pointer);
    return (void *)(uintptr_t)pointer;
}

// A block with something in it; START is where it begins.
static inline char *block_of(size_t size)
{
    char *volatile block = malloc(size);
    if (!block) _Exit(3);
    memset(block, 1, size);
    line_print("START", block);
    return block;
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
