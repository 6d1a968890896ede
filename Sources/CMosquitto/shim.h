// libmosquitto for Swift, and the one system call beside it that waits for its socket. Nothing here
// decides anything.
#pragma once
#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <sys/socket.h>

/// Waits for a socket to become readable, or writable too; returns what it is ready for, 0 where the
/// time has passed.
static inline int cmosquitto_wait(int socket, int also_to_write, int milliseconds) {
    struct pollfd entry = {.fd = socket, .events = (short)(POLLIN | (also_to_write ? POLLOUT : 0))};
    int found = poll(&entry, 1, milliseconds);
    return found > 0 ? entry.revents : 0;
}

/// Ends a connection under the library, which then finds it gone.
static inline void cmosquitto_shut(int socket) { shutdown(socket, SHUT_RDWR); }
