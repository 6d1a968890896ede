#pragma once
#include <libpq-fe.h>
#include <sys/eventfd.h>

/* A descriptor that one thread polls beside a connection's socket and another makes readable. */
static inline int clibpq_wake_descriptor(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}
