#include "track/birthmark.h"

#include "os/own_pages.h"
#include "os/pages.h"

struct birthmark birthmark;

bool birthmark_begin(void)
{
    char *page = own_pages_map(PAGE_SIZE);
    if (!page) return false;
    (void)pages_wipe_on_fork(page, PAGE_SIZE); // refused: a child would write its parent's
    *page = 1;
    birthmark.word = page;
    birthmark.lock = (struct lock *)(page + PAGE_SIZE / 2);
    return true;
}
