// Dying: runs something that must end the process, in a child, and compares its last words.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// How a child ended and what it wrote to fd 2.
struct death {
    int status; // as waitpid() tells it
    char words[1024];
};

static inline void death_read(struct death *self, int fd)
{
    size_t len = 0;
    for (;;) {
        ssize_t count = read(fd, self->words + len, sizeof self->words - 1 - len);
        if (count <= 0) break;
        len += (size_t)count;
    }
    self->words[len] = '\0';
}

// Runs `act(argument)` in a forked child; one that returns exits with status 0.
static inline struct death death_of(void (*act)(void *argument), void *argument)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        act(argument);
        _exit(0);
    }
    close(ends[1]);
    struct death death = {0};
    death_read(&death, ends[0]);
    close(ends[0]);
    assert_int_equal(waitpid(child, &death.status, 0), child);
    return death;
}

// It must abort and say exactly `line`.
static inline void expect_last_words(void (*act)(void *argument), void *argument, const char *line)
{
    struct death death = death_of(act, argument);
    assert_string_equal(death.words, line);
    assert_true(WIFSIGNALED(death.status));
    assert_int_equal(WTERMSIG(death.status), SIGABRT);
}
