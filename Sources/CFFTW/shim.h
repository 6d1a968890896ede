#pragma once
#include <fftw3.h>

// An array without a length is nothing that Swift can import.
static inline const char *fftw_version_text(void) { return fftwf_version; }
