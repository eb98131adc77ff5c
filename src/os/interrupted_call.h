// Interrupted call: a system call of a thread that ptrace has stopped in the middle of it.
#pragma once

// A thread that is stopped, and not by a signal: the call that this has ended with EINTR begins
// again when it goes on, unless a signal with a handler has come meanwhile.
void interrupted_call_begin_again(int tid);
