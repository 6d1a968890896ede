// Standard output for Swift, which cannot name the C library's variable `stdout`. Nothing here decides
// anything.
#pragma once
#include <errno.h>
#include <stdio.h>

/// Writes what is held back. 0 where all that was printed is written, else the system's number of the
/// error; -1 where only an earlier write failed, of which nobody knows why.
static inline int cterminal_flush(void) {
    if (fflush(stdout) != 0) return errno;
    return ferror(stdout) ? -1 : 0;
}
