// Answers which mete this is.
#include "cli/cmd.h"
#include "cli/output.h"

#include "mete/version.h"

#include <jansson.h>

#include <stdbool.h>
#include <stdio.h>

static const struct option options[] = {
    {.name = "json", .kind = OPTION_FLAG, .help = "print an object with version and schema"},
};

static int take(void *context, const struct option *option, const char *value)
{
    (void)option; // there is but one
    *(bool *)context = value[0] == 'y';
    return 0;
}

static int version(const struct cmd *self, char **words)
{
    bool as_json = false;
    size_t read = 0;
    int status = options_read(self->name, self->options, words, take, &as_json, &read);
    if (status) return status;
    if (words[read]) return command_refuse(self, words[read]);
    if (!as_json) {
        printf("mete " METE_VERSION "\n");
        return STATUS_OK;
    }
    return output_json(json_pack("{s:i, s:s}", "schema", 1, "version", METE_VERSION));
}

const struct cmd cmd_version = {
    .name = "version",
    .usage = "[OPTIONS]",
    .question = "which mete is this?",
    .summary = "Prints the version of mete",
    .detail = "'mete --version' prints the same.\n",
    .options = {.rows = options, .count = sizeof options / sizeof *options},
    .exec = version,
};
