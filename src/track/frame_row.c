#include "track/frame_row.h"

// DWARF 5, section 7.24, and the GNU and MIPS extensions that x86-64 may meet.
enum {
    ADVANCE = 0x40, // the upper two bits say so; the lower six are the operand
    OFFSET = 0x80,
    RESTORE = 0xc0,
    OPERAND = 0x3f,
    NOTHING = 0x00,
    SET_LOCATION = 0x01,
    ADVANCE_1 = 0x02,
    ADVANCE_2 = 0x03,
    ADVANCE_4 = 0x04,
    OFFSET_EXTENDED = 0x05,
    RESTORE_EXTENDED = 0x06,
    UNDEFINED = 0x07,
    SAME_VALUE = 0x08,
    REGISTER = 0x09,
    REMEMBER_STATE = 0x0a,
    RESTORE_STATE = 0x0b,
    DEFINE_CFA = 0x0c,
    DEFINE_CFA_REGISTER = 0x0d,
    DEFINE_CFA_OFFSET = 0x0e,
    DEFINE_CFA_EXPRESSION = 0x0f,
    EXPRESSION = 0x10,
    OFFSET_EXTENDED_SIGNED = 0x11,
    DEFINE_CFA_SIGNED = 0x12,
    DEFINE_CFA_OFFSET_SIGNED = 0x13,
    VALUE_OFFSET = 0x14,
    VALUE_OFFSET_SIGNED = 0x15,
    VALUE_EXPRESSION = 0x16,
    ADVANCE_8 = 0x1d,
    ARGUMENTS_SIZE = 0x2e,
    NEGATIVE_OFFSET_EXTENDED = 0x2f,

    REMEMBERED_MAX = 4, // gcc and clang nest one deep; alternate stacks are small
};

struct machine {
    const struct frame_entry *entry;
    struct byte_reader reader;
    uintptr_t pc;
    uintptr_t location; // of the code that the row is for
    struct frame_row row;
    struct frame_row initial; // what the shared program made
    struct frame_row remembered[REMEMBERED_MAX];
    unsigned remembered_count;
};

static struct frame_register *find_register(struct frame_row *row, uint64_t number)
{
    switch (number) {
    case FRAME_BP: return &row->bp;
    case FRAME_SP: return &row->sp;
    case FRAME_RETURN: return &row->return_address;
    default: return NULL; // the walk has no use for it
    }
}

static void set_register(struct machine *self, uint64_t number, enum frame_place place,
                         int64_t offset)
{
    struct frame_register *found = find_register(&self->row, number);
    if (found) *found = (struct frame_register){.place = place, .offset = offset};
}

static void restore_register(struct machine *self, uint64_t number)
{
    struct frame_register *found = find_register(&self->row, number);
    if (found) *found = *find_register(&self->initial, number);
}

// An expression stands in the program: its size, then its bytes.
static struct byte_reader take_expression(struct machine *self)
{
    uint64_t size = byte_reader_uleb(&self->reader);
    struct byte_reader expression = byte_reader_part(&self->reader, size);
    byte_reader_skip(&self->reader, size);
    return expression;
}

static int64_t multiply(uint64_t number, int64_t factor)
{
    return (int64_t)(number * (uint64_t)factor);
}

static int64_t factored(struct machine *self)
{
    return multiply(byte_reader_uleb(&self->reader), self->entry->data_factor);
}

static int64_t factored_signed(struct machine *self)
{
    return multiply((uint64_t)byte_reader_sleb(&self->reader), self->entry->data_factor);
}

static void define_cfa(struct machine *self, uint64_t number, int64_t offset)
{
    self->row.is_cfa_expression = false;
    self->row.cfa_register = number;
    self->row.cfa_offset = offset;
}

static void advance(struct machine *self, uint64_t delta)
{
    self->location += delta * self->entry->code_factor;
}

static void remember(struct machine *self)
{
    if (self->remembered_count == REMEMBERED_MAX) {
        self->reader.has_failed = true;
        return;
    }
    self->remembered[self->remembered_count++] = self->row;
}

static void recall(struct machine *self)
{
    if (self->remembered_count == 0) {
        self->reader.has_failed = true;
        return;
    }
    self->row = self->remembered[--self->remembered_count];
}

// What is about the CFA and where the row is for. False: it is something else.
static bool run_frame_instruction(struct machine *self, unsigned code)
{
    struct byte_reader *reader = &self->reader;
    struct frame_row *row = &self->row;
    uint64_t number;
    switch (code) {
    case NOTHING: return true;
    case SET_LOCATION:
        self->location = frame_entry_pointer(reader, self->entry->pointer_encoding);
        return true;
    case ADVANCE_1: advance(self, byte_reader_number(reader, 1)); return true;
    case ADVANCE_2: advance(self, byte_reader_number(reader, 2)); return true;
    case ADVANCE_4: advance(self, byte_reader_number(reader, 4)); return true;
    case ADVANCE_8: advance(self, byte_reader_number(reader, 8)); return true;
    case REMEMBER_STATE: remember(self); return true;
    case RESTORE_STATE: recall(self); return true;
    case DEFINE_CFA:
        number = byte_reader_uleb(reader);
        define_cfa(self, number, (int64_t)byte_reader_uleb(reader));
        return true;
    case DEFINE_CFA_SIGNED:
        number = byte_reader_uleb(reader);
        define_cfa(self, number, factored_signed(self));
        return true;
    case DEFINE_CFA_REGISTER:
        define_cfa(self, byte_reader_uleb(reader), row->cfa_offset);
        return true;
    case DEFINE_CFA_OFFSET:
        define_cfa(self, row->cfa_register, (int64_t)byte_reader_uleb(reader));
        return true;
    case DEFINE_CFA_OFFSET_SIGNED:
        define_cfa(self, row->cfa_register, factored_signed(self));
        return true;
    case DEFINE_CFA_EXPRESSION:
        row->is_cfa_expression = true;
        row->cfa_expression = take_expression(self);
        return true;
    case ARGUMENTS_SIZE: (void)byte_reader_uleb(reader); return true;
    default: return false;
    }
}

// What is about one register, whose number comes first.
static void run_register_instruction(struct machine *self, unsigned code)
{
    uint64_t number = byte_reader_uleb(&self->reader);
    switch (code) {
    case OFFSET_EXTENDED: set_register(self, number, FRAME_STORED, factored(self)); break;
    case OFFSET_EXTENDED_SIGNED:
        set_register(self, number, FRAME_STORED, factored_signed(self));
        break;
    case NEGATIVE_OFFSET_EXTENDED:
        set_register(self, number, FRAME_STORED, multiply((uint64_t)factored(self), -1));
        break;
    case RESTORE_EXTENDED: restore_register(self, number); break;
    case UNDEFINED: set_register(self, number, FRAME_NOWHERE, 0); break;
    case SAME_VALUE: set_register(self, number, FRAME_SAME, 0); break;
    case REGISTER:
        (void)byte_reader_uleb(&self->reader);
        set_register(self, number, FRAME_ELSEWHERE, 0);
        break;
    case VALUE_OFFSET:
    case VALUE_OFFSET_SIGNED:
        (void)byte_reader_uleb(&self->reader);
        set_register(self, number, FRAME_ELSEWHERE, 0);
        break;
    case VALUE_EXPRESSION:
        (void)take_expression(self);
        set_register(self, number, FRAME_ELSEWHERE, 0);
        break;
    case EXPRESSION: {
        struct byte_reader expression = take_expression(self);
        set_register(self, number, FRAME_STORED_BY_EXPRESSION, 0);
        struct frame_register *found = find_register(&self->row, number);
        if (found) found->expression = expression;
        break;
    }
    default: self->reader.has_failed = true;
    }
}

// Runs a program up to the row that holds at pc.
static bool run(struct machine *self, struct byte_reader program)
{
    self->reader = program;
    while (self->reader.at < self->reader.end && self->location <= self->pc) {
        unsigned code = (unsigned)byte_reader_number(&self->reader, 1);
        unsigned operand = code & OPERAND;
        switch (code & ~(unsigned)OPERAND) {
        case ADVANCE: advance(self, operand); break;
        case OFFSET: set_register(self, operand, FRAME_STORED, factored(self)); break;
        case RESTORE: restore_register(self, operand); break;
        default:
            if (!run_frame_instruction(self, code)) run_register_instruction(self, code);
        }
        if (self->reader.has_failed) return false;
    }
    return true;
}

bool frame_row_find(const struct frame_entry *entry, uintptr_t pc, struct frame_row *row_out)
{
    struct machine machine = {.entry = entry, .pc = pc, .location = entry->start};
    if (entry->return_register != FRAME_RETURN) return false;
    if (!run(&machine, entry->shared_program)) return false;
    machine.initial = machine.row;
    machine.location = entry->start;
    if (!run(&machine, entry->program)) return false;
    *row_out = machine.row;
    return true;
}
