// Manual: mete(1) in scdoc's language, made from the table of commands, so that it cannot differ.
#pragma once

void manual_print(void);
