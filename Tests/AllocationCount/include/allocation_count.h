// Counts the calls of this process that ask for memory, by standing in for the allocator: a test
// executable's functions come before those of the C library, for every library that it loads.
#pragma once
#include <stdint.h>

/// Calls of malloc, calloc, realloc and the aligned ones so far, by all threads.
uint64_t allocation_count(void);
