// Protects: what one process tells another arrives whole in any portions, and nonsense is refused.
#include "symbols/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OFFSETS = 1000 };

// What a listener heard.
struct heard {
    struct symbols_knowledge knowledge;
    size_t names;
    size_t lines;
    int64_t waited;
    char last[64];
};

static int know(void *context, const struct symbols_knowledge *knowledge)
{
    struct heard *self = context;
    self->knowledge = *knowledge;
    assert_true(strlen(knowledge->main_path) < 1 << 16);
    return 0;
}

static int name(void *context, size_t index, const struct symbols_line *lines, size_t count)
{
    struct heard *self = context;
    assert_true(index < OFFSETS);
    self->names++;
    self->lines += count;
    for (size_t i = 0; i < count; i++) {
        strncpy(self->last, lines[i].function, sizeof self->last - 1);
        assert_true(strlen(lines[i].file) < 1 << 16);
    }
    return 0;
}

static int waited(void *context, int64_t milliseconds)
{
    struct heard *self = context;
    self->waited += milliseconds;
    return 0;
}

static struct resolver_listener listener_of(struct heard *heard)
{
    memset(heard, 0, sizeof *heard);
    return (struct resolver_listener){
        .context = heard,
        .know = know,
        .name = name,
        .waited = waited,
    };
}

// A little of everything, as bytes.
static uint8_t *written(size_t *size_out)
{
    int fd = memfd_create("messages", 0);
    assert_true(fd >= 0);
    struct messages_writer writer;
    struct resolver_listener listener = messages_writer_init(&writer, fd);
    struct symbols_knowledge knowledge = {
        .file = SYMBOLS_FILE_DIFFERS,
        .source = SYMBOLS_TABLE,
        .main_path = "/bin/x",
        .debug_path = "",
    };
    assert_int_equal(listener.know(&writer, &knowledge), 0);
    struct symbols_line lines[] = {
        {.function = "inner", .linkage = "_Z5innerv", .file = "a.c", .line = 1, .is_inlined = true},
        {.function = "outer", .linkage = "", .file = "", .line = 0},
    };
    for (size_t i = 0; i < 10; i++) assert_int_equal(listener.name(&writer, i, lines, 2), 0);
    assert_int_equal(listener.waited(&writer, 7), 0);
    assert_int_equal(messages_flush(&writer), 0);
    messages_writer_deinit(&writer);
    off_t size = lseek(fd, 0, SEEK_END);
    uint8_t *bytes = malloc((size_t)size);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, (size_t)size, 0), size);
    close(fd);
    *size_out = (size_t)size;
    return bytes;
}

static void messages_arrive_in_any_portions(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = written(&size);
    for (size_t portion = 1; portion <= size; portion += portion < 40 ? 1 : size / 7) {
        struct heard heard;
        struct resolver_listener listener = listener_of(&heard);
        struct messages_reader reader;
        messages_reader_init(&reader, &listener, OFFSETS);
        for (size_t at = 0; at < size; at += portion) {
            size_t part = size - at < portion ? size - at : portion;
            assert_int_equal(messages_read(&reader, bytes + at, part), 0);
        }
        messages_reader_deinit(&reader);
        assert_int_equal(heard.names, 10);
        assert_int_equal(heard.lines, 20);
        assert_int_equal(heard.waited, 7);
        assert_int_equal(heard.knowledge.file, SYMBOLS_FILE_DIFFERS);
        assert_string_equal(heard.last, "outer");
    }
    free(bytes);
}

static void a_changed_byte_is_refused_or_harmless(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = written(&size);
    for (size_t i = 0; i < size; i++) {
        for (int change = 1; change < 256; change = change * 2 + 1) {
            bytes[i] ^= (uint8_t)change;
            struct heard heard;
            struct resolver_listener listener = listener_of(&heard);
            struct messages_reader reader;
            messages_reader_init(&reader, &listener, OFFSETS);
            int error = messages_read(&reader, bytes, size);
            assert_true(error == 0 || error == -EBADMSG);
            messages_reader_deinit(&reader);
            bytes[i] ^= (uint8_t)change;
        }
    }
    free(bytes);
}

static void a_name_of_an_offset_that_was_not_asked_for_is_refused(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = written(&size);
    struct heard heard;
    struct resolver_listener listener = listener_of(&heard);
    struct messages_reader reader;
    messages_reader_init(&reader, &listener, 5);
    assert_int_equal(messages_read(&reader, bytes, size), -EBADMSG);
    assert_int_equal(heard.names, 5);
    messages_reader_deinit(&reader);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_arrive_in_any_portions),
        cmocka_unit_test(a_changed_byte_is_refused_or_harmless),
        cmocka_unit_test(a_name_of_an_offset_that_was_not_asked_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
