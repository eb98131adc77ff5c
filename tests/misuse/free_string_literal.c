// expect: free(ACCUSED): not from this heap
#include "misuse.h"

int main(void)
{
    free(accused("a text that nobody allocated"));
    return 0;
}
