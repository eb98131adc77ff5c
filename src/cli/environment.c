#include "cli/environment.h"

#include "cli/output.h"
#include "cli/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Adds a value that is encoded.
static bool add_encoded(struct environment_settings *self, const char *key, const char *value)
{
    const size_t room = sizeof self->text - self->len;
    const int len =
        snprintf(self->text + self->len, room, "%s%s=%s", self->len > 0 ? "," : "", key, value);
    if (len < 0 || (size_t)len >= room) {
        self->text[self->len] = '\0';
        return false;
    }
    self->len += (size_t)len;
    return true;
}

bool environment_add(struct environment_settings *self, const char *key, const char *value)
{
    char encoded[SETTINGS_ENCODED_SIZE];
    return settings_encode(value, encoded) && add_encoded(self, key, encoded);
}

int environment_take(struct environment_settings *self, const char *command,
                     const struct option *option, const char *value)
{
    char encoded[SETTINGS_ENCODED_SIZE];
    const bool is_text = option->setting->kind == SETTING_TEXT;
    const char *reason = "is too long";
    struct settings ignored;
    if (is_text ? !settings_encode(value, encoded)
                : !settings_set(&ignored, option->setting, value, strlen(value), &reason)) {
        const struct option_text text = option_text(option);
        say("%s: '%s': '%s' %s", command, text.call, value, reason);
        return STATUS_USAGE;
    }
    if (add_encoded(self, option->name, is_text ? encoded : value)) return STATUS_OK;
    say("%s: more settings than fit into %zu bytes", command, sizeof self->text);
    return STATUS_USAGE;
}

// LD_PRELOAD with our object first and what was there behind it; NULL for want of memory. The
// loader takes spaces and colons as separators: we write colons, so that the value stays one word.
static char *preload_list(const char *object)
{
    const char *given = getenv("LD_PRELOAD");
    char *list = malloc(strlen(object) + 1 + (given ? strlen(given) : 0) + 1);
    if (!list) return NULL;
    char *end = stpcpy(list, object);
    for (const char *at = given ? given : ""; *at;) {
        const size_t len = strcspn(at, " :");
        if (len > 0 && !(strlen(object) == len && memcmp(at, object, len) == 0)) {
            *end++ = ':';
            end = mempcpy(end, at, len);
        }
        at += len;
        at += strspn(at, " :");
    }
    *end = '\0';
    return list;
}

// METE with what was there first; NULL for want of memory.
static char *settings_list(const char *more)
{
    const char *given = getenv("METE");
    const size_t given_len = given ? strlen(given) : 0;
    char *list = malloc(given_len + 1 + strlen(more) + 1);
    if (!list) return NULL;
    char *end = given_len > 0 ? mempcpy(list, given, given_len) : list;
    if (given_len > 0 && *more) *end++ = ',';
    (void)stpcpy(end, more);
    return list;
}

static bool has_separator(const char *path)
{
    return strpbrk(path, " :") != NULL;
}

// A link to the object where the loader can be told of it; NULL when there is no such place.
static char *make_link(const char *object, const char *folder)
{
    char *link = NULL;
    if (!folder || has_separator(folder)) return NULL;
    if (asprintf(&link, "%s/" ENVIRONMENT_LINK, folder) < 0) return NULL;
    if (symlink(object, link) == 0) return link;
    free(link);
    return NULL;
}

int environment_make(struct environment *self, const char *command,
                     const struct environment_settings *settings, const char *link_folder)
{
    *self = (struct environment){0};
    char *object = place_find(ENVIRONMENT_LINK);
    if (!object) return STATUS_FAILED;
    char *link = has_separator(object) ? make_link(object, link_folder) : NULL;
    if (link) {
        free(object);
        object = link;
    }
    if (has_separator(object)) {
        say("%s: the loader cannot preload '%s': a space or colon in the path", command, object);
        free(object);
        return STATUS_FAILED;
    }
    self->object = object;
    self->preload = preload_list(object);
    self->settings = settings_list(settings->text);
    if (self->preload && self->settings) return STATUS_OK;
    say("%s: out of memory", command);
    return STATUS_FAILED;
}

void environment_deinit(struct environment *self)
{
    free(self->object);
    free(self->preload);
    free(self->settings);
    *self = (struct environment){0};
}
