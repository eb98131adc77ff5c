#include "symbols/messages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Lines of one frame and bytes of one text that are sent; a message is never longer than all that.
enum { LINES_MAX = 256, TEXT_MAX = 1 << 15, FLUSH_SIZE = 1 << 16 };
enum { LINE_TEXTS = 3, MESSAGE_MAX = LINES_MAX * (LINE_TEXTS * (TEXT_MAX + 4) + 8) + 64 };

enum message_kind { MESSAGE_KNOW = 1, MESSAGE_NAME, MESSAGE_WAITED };

// A message is its kind, the size of its body, its body: numbers of 32 and 64 bits, texts with
// their length before them.
struct message_head {
    uint32_t kind;
    uint32_t size;
};

static int add(struct messages_writer *self, const void *bytes, size_t size)
{
    if (self->capacity - self->len < size) {
        size_t capacity = (self->capacity + size) * 2;
        char *grown = realloc(self->bytes, capacity);
        if (!grown) return -ENOMEM;
        self->bytes = grown;
        self->capacity = capacity;
    }
    memcpy(self->bytes + self->len, bytes, size);
    self->len += size;
    return 0;
}

static int add_u32(struct messages_writer *self, uint32_t number)
{
    return add(self, &number, sizeof number);
}

static int add_u64(struct messages_writer *self, uint64_t number)
{
    return add(self, &number, sizeof number);
}

// What is too long is cut.
static int add_text(struct messages_writer *self, const char *text)
{
    size_t len = strnlen(text, TEXT_MAX);
    int error = add_u32(self, (uint32_t)len);
    return error ? error : add(self, text, len);
}

static int begin(struct messages_writer *self, enum message_kind kind, size_t *head_out)
{
    struct message_head head = {.kind = kind};
    *head_out = self->len;
    return add(self, &head, sizeof head);
}

static int end(struct messages_writer *self, size_t head_at)
{
    struct message_head head;
    memcpy(&head, self->bytes + head_at, sizeof head);
    head.size = (uint32_t)(self->len - head_at - sizeof head);
    memcpy(self->bytes + head_at, &head, sizeof head);
    return self->len >= FLUSH_SIZE ? messages_flush(self) : 0;
}

static int write_knowledge(void *context, const struct symbols_knowledge *knowledge)
{
    struct messages_writer *self = context;
    size_t head;
    int error = begin(self, MESSAGE_KNOW, &head);
    if (error == 0) error = add_u32(self, knowledge->file);
    if (error == 0) error = add_u32(self, knowledge->source);
    if (error == 0) error = add_u32(self, (uint32_t)knowledge->error);
    if (error == 0) error = add_text(self, knowledge->main_path);
    if (error == 0) error = add_text(self, knowledge->debug_path);
    if (error == 0) error = end(self, head);
    // It must be out before something worse happens.
    return error ? error : messages_flush(self);
}

static int write_name(void *context, size_t index, const struct symbols_line *lines, size_t count)
{
    struct messages_writer *self = context;
    size_t head;
    int error = begin(self, MESSAGE_NAME, &head);
    if (error == 0) error = add_u64(self, index);
    if (count > LINES_MAX) count = LINES_MAX;
    if (error == 0) error = add_u32(self, (uint32_t)count);
    for (size_t i = 0; i < count && error == 0; i++) {
        error = add_text(self, lines[i].function);
        if (error == 0) error = add_text(self, lines[i].linkage);
        if (error == 0) error = add_text(self, lines[i].file);
        if (error == 0) error = add_u32(self, lines[i].line);
        if (error == 0) error = add_u32(self, lines[i].is_inlined);
    }
    return error ? error : end(self, head);
}

static int write_waited(void *context, int64_t milliseconds)
{
    struct messages_writer *self = context;
    size_t head;
    int error = begin(self, MESSAGE_WAITED, &head);
    if (error == 0) error = add_u64(self, (uint64_t)milliseconds);
    return error ? error : end(self, head);
}

struct resolver_listener messages_writer_init(struct messages_writer *self, int fd)
{
    *self = (struct messages_writer){.fd = fd};
    return (struct resolver_listener){
        .context = self,
        .know = write_knowledge,
        .name = write_name,
        .waited = write_waited,
    };
}

int messages_flush(struct messages_writer *self)
{
    size_t written = 0;
    while (written < self->len) {
        ssize_t done = write(self->fd, self->bytes + written, self->len - written);
        if (done < 0 && errno != EINTR) return -errno;
        if (done > 0) written += (size_t)done;
    }
    self->len = 0;
    return 0;
}

void messages_writer_deinit(struct messages_writer *self)
{
    free(self->bytes);
    self->bytes = NULL;
}

// A message's body as it is read. `is_bad` once it ended too early.
struct body {
    const char *at;
    size_t left;
    char *texts; // copies with a zero after each, LINE_TEXTS * LINES_MAX of them at most
    bool is_bad;
};

static const char *get(struct body *self, size_t size)
{
    if (self->is_bad || self->left < size) {
        self->is_bad = true;
        return NULL;
    }
    const char *bytes = self->at;
    self->at += size;
    self->left -= size;
    return bytes;
}

static uint32_t get_u32(struct body *self)
{
    uint32_t number = 0;
    const char *bytes = get(self, sizeof number);
    if (bytes) memcpy(&number, bytes, sizeof number);
    return number;
}

static uint64_t get_u64(struct body *self)
{
    uint64_t number = 0;
    const char *bytes = get(self, sizeof number);
    if (bytes) memcpy(&number, bytes, sizeof number);
    return number;
}

// A text takes 4 bytes of its message for its length, so that there is room for its zero.
static const char *get_text(struct body *self)
{
    uint32_t len = get_u32(self);
    const char *bytes = get(self, len);
    if (!bytes) return "";
    char *text = self->texts;
    memcpy(text, bytes, len);
    text[len] = '\0';
    self->texts += len + 1;
    return text;
}

static int read_knowledge(const struct resolver_listener *listener, struct body *body)
{
    uint32_t file = get_u32(body);
    uint32_t source = get_u32(body);
    struct symbols_knowledge knowledge = {.error = (int)get_u32(body)};
    knowledge.main_path = get_text(body);
    knowledge.debug_path = get_text(body);
    if (body->is_bad || file > SYMBOLS_FILE_NONE || source > SYMBOLS_DWARF) return -EBADMSG;
    knowledge.file = file;
    knowledge.source = source;
    return listener->know(listener->context, &knowledge);
}

static int read_name(const struct messages_reader *reader, struct body *body)
{
    struct symbols_line lines[LINES_MAX];
    uint64_t index = get_u64(body);
    uint32_t count = get_u32(body);
    if (body->is_bad || index >= reader->offset_count || count > LINES_MAX) return -EBADMSG;
    for (uint32_t i = 0; i < count; i++) {
        lines[i].function = get_text(body);
        lines[i].linkage = get_text(body);
        lines[i].file = get_text(body);
        lines[i].line = get_u32(body);
        lines[i].is_inlined = get_u32(body) != 0;
    }
    if (body->is_bad) return -EBADMSG;
    const struct resolver_listener *listener = reader->listener;
    return listener->name(listener->context, index, lines, count);
}

static int read_waited(const struct resolver_listener *listener, struct body *body)
{
    uint64_t milliseconds = get_u64(body);
    if (body->is_bad || milliseconds > INT32_MAX) return -EBADMSG;
    return listener->waited(listener->context, (int64_t)milliseconds);
}

static int read_message(const struct messages_reader *self, const struct message_head *head,
                        const char *bytes)
{
    char *texts = malloc(head->size + 1u);
    if (!texts) return -ENOMEM;
    struct body body = {.at = bytes, .left = head->size, .texts = texts};
    int error = -EBADMSG;
    if (head->kind == MESSAGE_KNOW) error = read_knowledge(self->listener, &body);
    if (head->kind == MESSAGE_NAME) error = read_name(self, &body);
    if (head->kind == MESSAGE_WAITED) error = read_waited(self->listener, &body);
    free(texts);
    return error;
}

void messages_reader_init(struct messages_reader *self, const struct resolver_listener *listener,
                          size_t offset_count)
{
    *self = (struct messages_reader){.listener = listener, .offset_count = offset_count};
}

int messages_read(void *reader, const void *bytes, size_t size)
{
    struct messages_reader *self = reader;
    if (self->capacity - self->len < size) {
        char *grown = realloc(self->bytes, self->len + size);
        if (!grown) return -ENOMEM;
        self->bytes = grown;
        self->capacity = self->len + size;
    }
    memcpy(self->bytes + self->len, bytes, size);
    self->len += size;
    size_t at = 0;
    int error = 0;
    struct message_head head;
    while (error == 0 && self->len - at >= sizeof head) {
        memcpy(&head, self->bytes + at, sizeof head);
        if (head.size > MESSAGE_MAX) return -EBADMSG;
        if (self->len - at - sizeof head < head.size) break;
        error = read_message(self, &head, self->bytes + at + sizeof head);
        at += sizeof head + head.size;
    }
    memmove(self->bytes, self->bytes + at, self->len - at);
    self->len -= at;
    return error;
}

void messages_reader_deinit(struct messages_reader *self)
{
    free(self->bytes);
    self->bytes = NULL;
}
