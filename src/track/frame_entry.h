// Frame entry: what .eh_frame says of a function (its FDE with the CIE that it refers to), found by
// the search table of .eh_frame_hdr. The bytes are not trusted: nothing outside of the module's
// unwind memory is read, whatever they say.
#pragma once

#include "os/code.h"
#include "track/byte_reader.h"

#include <stdbool.h>
#include <stdint.h>

struct frame_entry {
    uintptr_t start; // of the function
    uint64_t size;
    uint64_t code_factor;
    int64_t data_factor;
    uint64_t return_register;
    bool is_signal_frame;
    bool has_augmentation; // data of a size that stands before it
    unsigned pointer_encoding;
    struct byte_reader shared_program; // the CIE's instructions
    struct byte_reader program;        // its own
};

enum frame_entry_found {
    FRAME_ENTRY_FOUND,
    FRAME_ENTRY_NONE,       // the module says nothing of that address
    FRAME_ENTRY_UNREADABLE, // what it says makes no sense, or is of a kind that nobody writes
};

enum frame_entry_found frame_entry_find(const struct code_module *module, uintptr_t pc,
                                        struct frame_entry *entry_out);

// A pointer as .eh_frame has it (DW_EH_PE_*). Fails for kinds that do not occur there.
uint64_t frame_entry_pointer(struct byte_reader *reader, unsigned encoding);
