// Image: the moments at which this process image is over without main() returning: exec, _exit and
// its like. The recording's state tells them from a death that nobody announced.
#pragma once

// Before main(): looks up what is passed on to.
void image_find(void);
