#include "track/rule.h"

#include "track/frame_row.h"

#include <string.h>

// DWARF 5, section 7.7.1.
enum {
    DEREFERENCE = 0x06,
    LITERAL_0 = 0x30,
    LITERAL_31 = 0x4f,
    BASE_BP = 0x76, // the register plus a signed number
    BASE_SP = 0x77,
    PLT_LITERAL = 6, // where in plt_expression
};

// sp + 8 + ((pc & 15) >= N) * 8: linkers describe all stubs of a PLT so, each of which is 16 bytes
// and pushes a number at its Nth.
static const uint8_t plt_expression[] = {BASE_SP, 8,    0x80, 0,    0x3f, 0x1a,
                                         0,       0x2a, 0x33, 0x24, 0x22};

static bool fits_offset(int64_t offset)
{
    return offset >= INT32_MIN && offset <= INT32_MAX;
}

static bool fits_words(int64_t offset)
{
    return offset % 8 == 0 && offset / 8 >= INT16_MIN && offset / 8 <= INT16_MAX;
}

static size_t left_in(const struct byte_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

// An expression "register + offset" and nothing behind it.
static bool is_base_only(struct byte_reader expression, unsigned base, int64_t *offset_out)
{
    if (byte_reader_number(&expression, 1) != base) return false;
    int64_t offset = byte_reader_sleb(&expression);
    if (expression.has_failed || expression.at != expression.end || !fits_offset(offset)) {
        return false;
    }
    *offset_out = offset;
    return true;
}

static bool is_plt(struct byte_reader expression, unsigned *literal_out)
{
    if (left_in(&expression) != sizeof plt_expression) return false;
    for (size_t i = 0; i < sizeof plt_expression; i++) {
        if (i != PLT_LITERAL && expression.at[i] != plt_expression[i]) return false;
    }
    unsigned literal = expression.at[PLT_LITERAL];
    if (literal < LITERAL_0 || literal > LITERAL_31) return false;
    *literal_out = literal - LITERAL_0;
    return true;
}

static struct rule cfa_by_expression(struct byte_reader expression, uintptr_t pc)
{
    int64_t offset;
    unsigned literal;
    if (is_base_only(expression, BASE_SP, &offset)) {
        return (struct rule){.cfa = RULE_FROM_SP, .offset = (int32_t)offset};
    }
    if (is_base_only(expression, BASE_BP, &offset)) {
        return (struct rule){.cfa = RULE_FROM_BP, .offset = (int32_t)offset};
    }
    if (is_plt(expression, &literal)) {
        bool has_pushed = (pc & 15) >= literal;
        return (struct rule){.cfa = RULE_FROM_SP, .offset = has_pushed ? 16 : 8};
    }
    size_t size = left_in(&expression);
    if (size > 0 && expression.at[size - 1] == DEREFERENCE) {
        expression.end--;
        if (is_base_only(expression, BASE_BP, &offset)) {
            return (struct rule){.cfa = RULE_STORED_BY_BP, .offset = (int32_t)offset};
        }
    }
    return rule_end(RECORD_END_UNSUPPORTED);
}

static struct rule cfa_of(const struct frame_row *row, uintptr_t pc)
{
    if (row->is_cfa_expression) return cfa_by_expression(row->cfa_expression, pc);
    bool is_sp = row->cfa_register == FRAME_SP;
    if ((!is_sp && row->cfa_register != FRAME_BP) || !fits_offset(row->cfa_offset)) {
        return rule_end(RECORD_END_UNSUPPORTED);
    }
    return (struct rule){
        .cfa = is_sp ? RULE_FROM_SP : RULE_FROM_BP,
        .offset = (int32_t)row->cfa_offset,
    };
}

static void add_bp(const struct frame_register *bp, struct rule *rule)
{
    int64_t offset = bp->offset;
    rule->bp = RULE_BP_LOST;
    if (bp->place == FRAME_SAME) {
        rule->bp = RULE_BP_SAME;
    } else if (bp->place == FRAME_STORED && fits_words(offset)) {
        rule->bp = RULE_BP_BY_CFA;
        rule->bp_words = (int16_t)(offset / 8);
    } else if (bp->place == FRAME_STORED_BY_EXPRESSION &&
               is_base_only(bp->expression, BASE_BP, &offset) && fits_words(offset)) {
        rule->bp = RULE_BP_BY_BP;
        rule->bp_words = (int16_t)(offset / 8);
    }
}

// A return address that is the very start of a function, and no call before it: it was put there by
// hand, below the outermost frame of a stack that begins so (makecontext).
static bool is_start_by_hand(const struct code_module *module, uintptr_t pc)
{
    struct frame_entry entry;
    return frame_entry_find(module, pc + 1, &entry) == FRAME_ENTRY_FOUND && entry.start == pc + 1;
}

struct rule rule_compile(const struct code_module *module, uintptr_t pc)
{
    struct frame_entry entry;
    switch (frame_entry_find(module, pc, &entry)) {
    case FRAME_ENTRY_FOUND: break;
    case FRAME_ENTRY_NONE:
        return rule_end(is_start_by_hand(module, pc) ? RECORD_END_COMPLETE : RECORD_END_NO_RULE);
    case FRAME_ENTRY_UNREADABLE: return rule_end(RECORD_END_UNSUPPORTED);
    }
    if (entry.is_signal_frame) return rule_end(RECORD_END_SIGNAL);
    struct frame_row row;
    if (!frame_row_find(&entry, pc, &row)) return rule_end(RECORD_END_UNSUPPORTED);
    const struct frame_register *address = &row.return_address;
    if (address->place == FRAME_NOWHERE) return rule_end(RECORD_END_COMPLETE);
    if (address->place != FRAME_STORED || address->offset != -8 || row.sp.place != FRAME_SAME) {
        return rule_end(RECORD_END_UNSUPPORTED);
    }
    struct rule rule = cfa_of(&row, pc);
    if (rule.cfa == RULE_FROM_SP && (rule.offset <= 0 || rule.offset % 8 != 0)) {
        return rule_end(RECORD_END_UNSUPPORTED);
    }
    if (rule.cfa != RULE_END) add_bp(&row.bp, &rule);
    return rule;
}
