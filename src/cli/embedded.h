// Embedded: a finished recording in memory, as it is to be in its file: with what its code is
// called and how its process ended. Belongs to the command line.
#pragma once

struct embedded;
struct recording; // record/reader.h's

// Takes the recording over. NULL for want of memory: then it is closed.
struct embedded *embedded_create(struct recording *recording);
void embedded_close(struct embedded *self); // may be NULL

// Borrowed. Of its file it knows what it was made of.
struct recording *embedded_recording(const struct embedded *self);

// Writes it to the descriptor's place, which is the beginning of a file. 0 or -errno.
int embedded_write(const struct embedded *self, int fd);

// Writes it beside `path` and puts that in its place. 0, or -errno and nothing has changed there.
int embedded_replace(const struct embedded *self, const char *path);
