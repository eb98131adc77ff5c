// Roomy stack: where a limit (ulimit -s) leaves mete less stack than its libraries take (inflating
// debug information takes 150 KiB in one function), it runs on one of its own.
#pragma once

// The status of `run`, on the stack at hand or on another.
int roomy_stack_run(int (*run)(char **words), char **words);
