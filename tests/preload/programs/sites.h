// Sites: what the programs share in which processes and threads live and die: functions whose
// figures are asserted, whose names end in _site, each with blocks of a size of its own; and what
// ends a program that could not do what it is for.
#pragma once

#include "stacks.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>

#define SITE __attribute__((noinline, noclone))

static __thread void *volatile sink; // so that no call is optimised away

SITE static char *kept_site(void)
{
    return sink = malloc(100);
}

SITE static char *parent_site(void)
{
    return sink = malloc(40);
}

SITE static char *child_site(void)
{
    return sink = malloc(60);
}

SITE static char *thread_site(void)
{
    return sink = malloc(50);
}

SITE static char *handler_site(void)
{
    return sink = malloc(10);
}

static void check(int holds, const char *what)
{
    if (holds) return;
    perror(what);
    exit(9);
}

static void wait_for(pid_t child)
{
    int status = 0;
    check(child > 0 && waitpid(child, &status, 0) == child, "waitpid");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "a child ended with status %#x\n", status);
        exit(8);
    }
}
