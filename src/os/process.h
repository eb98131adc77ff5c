// Process: what the kernel knows of this process. Raw system calls: nothing allocates, touches
// errno or trusts what libc remembers.
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t process_id(void);
uint32_t process_parent_id(void);
uint32_t process_thread_id(void);

// Texts, cut to `size` bytes with their terminating zero; empty when the kernel does not say.
void process_program(char *text, size_t size);   // the path of the running file
void process_directory(char *text, size_t size); // the working directory
void process_host(char *text, size_t size);
// What the running file was started as (`sh`, not `dash`): the last part of the path that led to
// it, by what the kernel was given or by `argument`, the first one or NULL; else that of its own.
void process_name(const char *argument, char *text, size_t size);

// Whether a path leads to the running file.
bool process_is_running_file(const char *path);

// Makes another program of this process. Comes back with -errno when it cannot.
int process_exec(const char *path, char *const *arguments, char *const *environment);

// Whether the calling thread runs on its alternate signal stack; where it has one (0: none), unless
// that is NULL.
bool process_is_on_signal_stack(uintptr_t *start_out);

// As sigaltstack(2): 0 or -errno.
int process_set_signal_stack(const stack_t *stack, stack_t *old);

// Whether the calling thread is under seccomp filters, and has given up new privileges, as programs
// do before they add one: a number that changes with both.
long process_seccomp_mode(void);

// The calling thread's name.
enum { PROCESS_THREAD_NAME_SIZE = 16 };
void process_thread_name(char name[static PROCESS_THREAD_NAME_SIZE]);
