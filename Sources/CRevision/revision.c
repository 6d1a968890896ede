#include "crevision.h"

#ifndef SYSTOLE_REVISION
#define SYSTOLE_REVISION ""
#endif

const char *crevision(void) { return SYSTOLE_REVISION; }

const char *ccompiler(void) { return __VERSION__; }
