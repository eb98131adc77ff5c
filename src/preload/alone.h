// Alone: calls that must find the process as its program made it.
// The helper is a thread that the kernel counts and libc does not know. Left to itself it would
// keep a root daemon's rights when the daemon gives them up; unshare() and setns() would be
// refused; and a child of _Fork(), which runs no handlers, might be made while it holds the heap's
// lock. So these calls of libc's pass through here, and the helper is ended first. It comes again
// afterwards, with the rights that are left.
#pragma once

// Looks up where the calls go on to. Called once, at start.
void alone_find(void);
