// Protects: the rule that .eh_frame gives for code is found, whatever stands in the file; what
// makes no sense ends the stack.
#include "track/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

// A made-up module: its search table with one row, a CIE, and an FDE for code at some distance.
enum { CODE = 0x10000, CODE_SIZE = 0x100, IMAGE_SIZE = 256 };

struct image {
    _Alignas(8) uint8_t bytes[IMAGE_SIZE];
    size_t size;
};

static void put(struct image *self, const void *bytes, size_t size)
{
    assert_true(self->size + size <= IMAGE_SIZE);
    memcpy(self->bytes + self->size, bytes, size);
    self->size += size;
}

static void put_number(struct image *self, uint64_t number, size_t size)
{
    put(self, &number, size);
}

struct program {
    const char *letters; // the augmentation; "zR" unless told
    const char *bytes;
    size_t size;
};
#define PROGRAM(text) ((struct program){.bytes = text, .size = sizeof(text) - 1})

static struct code_module make_image(struct image *self, struct program program)
{
    const char *letters = program.letters ? program.letters : "zR";
    self->size = 0;
    uintptr_t base = (uintptr_t)self->bytes;
    put(self, "\x01\x1b\x03\x3b", 4);
    put_number(self, 0, 4);
    put_number(self, 1, 4);
    put_number(self, CODE, 4);
    size_t row = self->size;
    put_number(self, 0, 4);
    size_t shared = self->size;
    put_number(self, 0, 4);
    put_number(self, 0, 4);
    put(self, "\x01", 1);
    put(self, letters, strlen(letters) + 1);
    put(self, "\x01\x78\x10", 3); // code by 1, data by -8, the return address is register 16
    put(self, strchr(letters, 'R') ? "\x01\x04" : "\x00", strchr(letters, 'R') ? 2 : 1);
    put(self, "\x0c\x07\x08\x90\x01", 5); // CFA = rsp + 8, return address at CFA - 8
    uint32_t length = (uint32_t)(self->size - shared - 4);
    memcpy(self->bytes + shared, &length, 4);
    size_t entry = self->size;
    memcpy(self->bytes + row, &(uint32_t){(uint32_t)entry}, 4);
    put_number(self, 0, 4);
    put_number(self, entry + 4 - shared, 4);
    put_number(self, base + CODE, 8);
    put_number(self, CODE_SIZE, 8);
    put_number(self, 0, 1);
    put(self, program.bytes, program.size);
    length = (uint32_t)(self->size - entry - 4);
    memcpy(self->bytes + entry, &length, 4);
    return (struct code_module){
        .search_table = base,
        .unwind_start = base,
        .unwind_end = base + self->size,
    };
}

static struct rule compile_at(struct program program, uintptr_t offset)
{
    struct image *image = calloc(1, sizeof *image);
    struct code_module module = make_image(image, program);
    struct rule rule = rule_compile(&module, module.search_table + CODE + offset);
    free(image);
    return rule;
}

static void expect_rule(struct rule rule, enum rule_cfa cfa, int offset, enum rule_bp bp, int words)
{
    assert_int_equal(rule.cfa, cfa);
    assert_int_equal(rule.offset, offset);
    assert_int_equal(rule.bp, bp);
    assert_int_equal(rule.bp_words, words);
}

static void expect_end(struct rule rule, enum record_stack_end end)
{
    expect_rule(rule, RULE_END, (int)end, RULE_BP_SAME, 0);
}

static void a_rule_is_what_holds_at_the_instruction(void **state)
{
    (void)state;
    // push rbp; mov rsp, rbp at 4; leave at 0x20 as gcc writes it
    struct program program = PROGRAM("\x41\x0e\x10\x86\x02" // 1: CFA = rsp + 16, rbp at -16
                                     "\x43\x0d\x06"         // 4: CFA = rbp + 16
                                     "\x02\x1c\x0a"         // 0x20: remember
                                     "\xc6\x0c\x07\x08"     // rbp as before, CFA = rsp + 8
                                     "\x41\x0b"             // 0x21: recall
                                     "\x2e\x20");           // arguments, which are nobody's matter
    expect_rule(compile_at(program, 0), RULE_FROM_SP, 8, RULE_BP_SAME, 0);
    expect_rule(compile_at(program, 1), RULE_FROM_SP, 16, RULE_BP_BY_CFA, -2);
    expect_rule(compile_at(program, 4), RULE_FROM_BP, 16, RULE_BP_BY_CFA, -2);
    expect_rule(compile_at(program, 0x1f), RULE_FROM_BP, 16, RULE_BP_BY_CFA, -2);
    expect_rule(compile_at(program, 0x20), RULE_FROM_SP, 8, RULE_BP_SAME, 0);
    expect_rule(compile_at(program, 0x21), RULE_FROM_BP, 16, RULE_BP_BY_CFA, -2);
    expect_rule(compile_at(program, CODE_SIZE - 1), RULE_FROM_BP, 16, RULE_BP_BY_CFA, -2);
}

static void code_outside_of_every_entry_has_no_rule(void **state)
{
    (void)state;
    expect_end(compile_at(PROGRAM(""), CODE_SIZE), RECORD_END_NO_RULE);
    expect_end(compile_at(PROGRAM(""), (uintptr_t)-2), RECORD_END_NO_RULE);
    // Where a function begins, no call can return to: whoever put it there began a stack so.
    expect_end(compile_at(PROGRAM(""), (uintptr_t)-1), RECORD_END_COMPLETE);
}

static void expressions_of_compilers_and_linkers_are_understood(void **state)
{
    (void)state;
    // A realigned stack: CFA = *(rbp - 8), rbp at rbp + 0.
    expect_rule(compile_at(PROGRAM("\x10\x06\x02\x76\x00\x0f\x03\x76\x78\x06"), 0),
                RULE_STORED_BY_BP, -8, RULE_BP_BY_BP, 0);
    // A PLT's stubs: 11 bytes in, one word has been pushed.
    struct program plt = PROGRAM("\x0f\x0b\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22");
    for (uintptr_t at = 0; at < 16; at++) {
        struct rule rule = compile_at(plt, at);
        assert_int_equal(rule.cfa, RULE_FROM_SP);
        assert_true(rule.offset == 8 || rule.offset == 16);
    }
    expect_rule(compile_at(PROGRAM("\x0f\x02\x77\x10"), 0), RULE_FROM_SP, 16, RULE_BP_SAME, 0);
    expect_rule(compile_at(PROGRAM("\x0f\x02\x76\x10"), 0), RULE_FROM_BP, 16, RULE_BP_SAME, 0);
}

static void what_is_not_followed_ends_the_stack_and_says_so(void **state)
{
    (void)state;
    expect_end(compile_at(PROGRAM("\x07\x10"), 0), RECORD_END_COMPLETE); // no return address
    struct program signal_frame = PROGRAM("");
    signal_frame.letters = "zRS";
    expect_end(compile_at(signal_frame, 0), RECORD_END_SIGNAL);
    expect_end(compile_at(PROGRAM("\x0d\x03"), 0), RECORD_END_UNSUPPORTED); // CFA = rbx + 8
    expect_end(compile_at(PROGRAM("\x0f\x03\x77\x08\x06"), 0), RECORD_END_UNSUPPORTED);
    expect_end(compile_at(PROGRAM("\x90\x02"), 0), RECORD_END_UNSUPPORTED); // elsewhere
    expect_end(compile_at(PROGRAM("\x0e\x09"), 0), RECORD_END_UNSUPPORTED); // CFA = rsp + 9
    expect_rule(compile_at(PROGRAM("\x07\x06"), 0), RULE_FROM_SP, 8, RULE_BP_LOST, 0);
    expect_rule(compile_at(PROGRAM("\x09\x06\x03"), 0), RULE_FROM_SP, 8, RULE_BP_LOST, 0);
}

static void nonsense_ends_the_stack(void **state)
{
    (void)state;
    expect_end(compile_at(PROGRAM("\x3f"), 0), RECORD_END_UNSUPPORTED); // no such instruction
    expect_end(compile_at(PROGRAM("\x0b"), 0), RECORD_END_UNSUPPORTED); // recalls nothing
    expect_end(compile_at(PROGRAM("\x0a\x0a\x0a\x0a\x0a"), 0), RECORD_END_UNSUPPORTED);
    expect_end(compile_at(PROGRAM("\x0e\x80\x80"), 0), RECORD_END_UNSUPPORTED); // cut off
    struct program unknown = PROGRAM("");
    unknown.letters = "zQR";
    expect_end(compile_at(unknown, 0), RECORD_END_UNSUPPORTED);
}

static void no_byte_past_the_end_is_read_wherever_it_is(void **state)
{
    (void)state;
    struct image image;
    struct code_module whole = make_image(&image, PROGRAM("\x41\x0e\x10\x86\x02"));
    size_t size = whole.unwind_end - whole.unwind_start;
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *bytes = malloc(cut ? cut : 1); // the sanitizer watches its end
        memcpy(bytes, image.bytes, cut);
        struct code_module module = {
            .search_table = (uintptr_t)bytes,
            .unwind_start = (uintptr_t)bytes,
            .unwind_end = (uintptr_t)bytes + cut,
        };
        struct rule rule = rule_compile(&module, (uintptr_t)bytes + CODE);
        assert_int_equal(rule.cfa, RULE_END);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_is_what_holds_at_the_instruction),
        cmocka_unit_test(code_outside_of_every_entry_has_no_rule),
        cmocka_unit_test(expressions_of_compilers_and_linkers_are_understood),
        cmocka_unit_test(what_is_not_followed_ends_the_stack_and_says_so),
        cmocka_unit_test(nonsense_ends_the_stack),
        cmocka_unit_test(no_byte_past_the_end_is_read_wherever_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
