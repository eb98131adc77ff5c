// Place: where the parts of mete lie on this machine.
// In a build folder the parts lie beside the program; installed, in the library folder. Belongs to
// the command line.
#pragma once

// The path of an object such as "libmete-preload.so", to be freed by the caller; NULL after a
// message when it cannot be found.
char *place_find(const char *object);
