#include "base/text.h"

struct text text_in(char *buffer, size_t capacity)
{
    buffer[0] = 0;
    return (struct text){.bytes = buffer, .capacity = capacity};
}

static void text_add_char(struct text *self, char c)
{
    if (self->length + 1 >= self->capacity) return;
    self->bytes[self->length++] = c;
    self->bytes[self->length] = 0;
}

void text_add(struct text *self, const char *words)
{
    for (; *words; words++) text_add_char(self, *words);
}

static void text_add_number(struct text *self, uint64_t value, unsigned radix)
{
    char digits[20]; // 2^64 has 20 decimal digits
    size_t count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % radix];
        value /= radix;
    } while (value != 0);
    while (count > 0) text_add_char(self, digits[--count]);
}

void text_add_decimal(struct text *self, uint64_t value)
{
    text_add_number(self, value, 10);
}

void text_add_hex(struct text *self, uint64_t value)
{
    text_add(self, "0x");
    text_add_number(self, value, 16);
}
