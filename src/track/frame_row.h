// Frame row: where a function's caller's registers are while the function stands at some
// instruction: what the instructions of its frame entry come to. Only the registers that a walk up
// the stack may need are kept.
#pragma once

#include "track/frame_entry.h"

// DWARF's numbers of x86-64's registers.
enum { FRAME_BP = 6, FRAME_SP = 7, FRAME_RETURN = 16, FRAME_REGISTERS = 17 };

enum frame_place {
    FRAME_SAME,    // not touched yet
    FRAME_NOWHERE, // "undefined": it is lost; of the return address: there is no caller
    FRAME_STORED,  // in memory at CFA + offset
    FRAME_STORED_BY_EXPRESSION,
    FRAME_ELSEWHERE, // in another register, or computed
};

struct frame_register {
    enum frame_place place;
    int64_t offset;
    struct byte_reader expression;
};

// CFA: the stack pointer of the caller, once the function has returned.
struct frame_row {
    bool is_cfa_expression;
    uint64_t cfa_register;
    int64_t cfa_offset;
    struct byte_reader cfa_expression;
    struct frame_register bp;
    struct frame_register sp;
    struct frame_register return_address;
};

// False: the instructions make no sense, or nest deeper than any compiler's.
bool frame_row_find(const struct frame_entry *entry, uintptr_t pc, struct frame_row *row_out);
