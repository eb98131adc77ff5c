#include "cli/suppress.h"

#include "cli/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_SIZE_MAX = 4 << 20 }; // of suppressions: a guess that no list of people exceeds

static int refuse(const char *command, const char *path, const char *why)
{
    say("%s: suppressions '%s': %s", command, path, why);
    return STATUS_USAGE;
}

// All of a file, to be freed; NULL and errno, EFBIG where it is too large.
static char *read_file(const char *path, size_t *size_out)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(FILE_SIZE_MAX + 1) : NULL;
    if (text) {
        *size_out = fread(text, 1, FILE_SIZE_MAX + 1, file);
        const int error = ferror(file) ? errno : *size_out > FILE_SIZE_MAX ? EFBIG : 0;
        if (error) {
            free(text);
            text = NULL;
            errno = error;
        }
    }
    const int error = errno;
    if (file) (void)fclose(file); // it was read
    errno = error;
    return text;
}

int suppress_file(struct suppress *self, const char *command, const char *path)
{
    size_t size = 0;
    char *text = read_file(path, &size);
    if (!text) return refuse(command, path, strerror(errno));
    struct suppressions_problem problem;
    const int error =
        suppressions_add(&self->list, SUPPRESSION_OF_FILE, path, text, size, &problem);
    free(text);
    if (error == -ENOMEM) return refuse(command, path, "out of memory");
    if (!error) return STATUS_OK;
    say("%s: suppressions '%s', line %u: %s", command, path, problem.line, problem.what);
    return STATUS_USAGE;
}

// "suppressions=FILE" among options that colons or blanks part.
static int suppress_of_options(struct suppress *self, const char *command, const char *options)
{
    static const char word[] = "suppressions=";
    const char *found = strstr(options, word);
    while (found && found > options && !strchr(": ,\t\n", found[-1])) {
        found = strstr(found + 1, word); // the end of another option
    }
    if (!found) return STATUS_OK;
    found += strlen(word);
    const bool is_quoted = *found == '"' || *found == '\'';
    const char quote[] = {is_quoted ? *found++ : ':', '\0'};
    char *path = strndup(found, strcspn(found, is_quoted ? quote : ": ,\t\n"));
    const int status = path ? suppress_file(self, command, path)
                            : refuse(command, "LSAN_OPTIONS", "out of memory");
    free(path);
    return status;
}

int suppress_others(struct suppress *self, const char *command)
{
    const char *options = getenv("LSAN_OPTIONS");
    // It is not there for us: what cannot be read of it was said, and that is all.
    if (options) (void)suppress_of_options(self, command, options);
    if (self->leaves_known) return STATUS_OK;
    const int error = suppressions_add_known(&self->list);
    return error ? refuse(command, "mete's own", "out of memory") : STATUS_OK;
}

void suppress_tell(const struct suppress *self, const char *command, FILE *out)
{
    for (size_t i = 0; i < self->list.count; i++) {
        const struct suppression *one = &self->list.all[i];
        if (one->origin != SUPPRESSION_OF_FILE) continue;
        if (one->blocks_over > 0) {
            say_to(out,
                   "%s: suppression '%s' (%s:%u) is for %llu blocks at most, and there are %llu",
                   command, one->name, one->source, one->line, (unsigned long long)one->max_blocks,
                   (unsigned long long)one->blocks_over);
        } else if (one->blocks == 0) {
            say_to(out, "%s: suppression '%s' (%s:%u) met nothing", command, one->name, one->source,
                   one->line);
        }
    }
}

void suppress_deinit(struct suppress *self)
{
    suppressions_deinit(&self->list);
}
