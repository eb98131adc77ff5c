// Group witness: who was a signal sent to, us alone or our whole process group? The kernel tells
// its receiver who sent it, and no more. So beside us, in our group, lives a process that blocks
// what we block and does nothing: what is pending there as well was not sent to us alone.
//
// It is a program of its own, made in memory, of a few instructions: nobody finds it by our name,
// by our command line or by our executable, and so nobody signals both of us by these. It ends with
// us. Of a group, the kernel signals the youngest first: what has come to us has come to a witness
// that is younger. Where it cannot be made or asked (no /proc, no memfd that may be run),
// everything was sent to us alone.
//
// It is a child of ours, of which SIGCHLD tells when it ends. One at a time, for a process of one
// thread. Async-signal-safe it is not.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct group_witness {
    int program;   // the descriptor of it; -1: none
    pid_t pid;     // 0: there is none
    uint64_t seen; // by the one before, as bits from 0 on, while we had not taken them
};

// From here on. What is blocked now is what may be asked for; and it stays blocked here.
void group_witness_begin(struct group_witness *self);

// Whether that signal, which came to us, came to the witness too. Waits a moment for it, as others
// may signal one process after the other. It is over then, as it is for us. Two of a kind at once
// are one, as everywhere.
bool group_witness_saw(struct group_witness *self, int signal);

// What has come until now is over: we have stopped, and go on.
void group_witness_renew(struct group_witness *self);

void group_witness_end(struct group_witness *self);
