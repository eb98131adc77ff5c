# A function, and COUNT (of the assembler's command line) others in its unit that share one list of
# COUNT ranges, none of which holds anything: DWARF 4, its smallest form.
    .text
    .globl hot
    .type hot, @function
hot:
    mov $40, %edi
    call malloc@PLT
    ret
.Lend:
    .size hot, . - hot
    .section .note.GNU-stack, "", @progbits

    .section .debug_abbrev, "", @progbits
.Labbreviations:
    .uleb128 1, 0x11 # DW_TAG_compile_unit
    .byte 1          # has children
    .uleb128 0x11, 1 # DW_AT_low_pc, DW_FORM_addr
    .uleb128 0x12, 7 # DW_AT_high_pc, DW_FORM_data8
    .byte 0, 0
    .uleb128 2, 0x2e # DW_TAG_subprogram
    .byte 0
    .uleb128 0x55, 0x17 # DW_AT_ranges, DW_FORM_sec_offset
    .byte 0, 0
    .byte 0

    .section .debug_info, "", @progbits
    .long .Lunit_end - .Lunit
.Lunit:
    .value 4
    .long .Labbreviations
    .byte 8
    .uleb128 1
    .quad hot
    .quad .Lend - hot
    .rept COUNT
    .uleb128 2
    .long .Lranges
    .endr
    .byte 0
.Lunit_end:

    .section .debug_ranges, "", @progbits
.Lranges:
    .rept COUNT
    .quad .Lend - hot + 16, .Lend - hot + 17
    .endr
    .quad 0, 0
