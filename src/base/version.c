#include "mete/version.h"

const char *mete_version(void)
{
    return METE_VERSION;
}
