// libcurl for Swift: its option and information calls are variadic, which Swift cannot import, so
// each kind of argument gets a typed function of its own. Nothing here decides anything.
#pragma once
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

typedef size_t (*ccurl_sink)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

/// libcurl copies the text.
static inline CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

/// libcurl keeps the pointer (or copies what it points at, for CURLOPT_COPYPOSTFIELDS).
static inline CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, const void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode ccurl_set_body_sink(CURL *easy, ccurl_sink sink, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, sink);
    return code ? code : curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
}

static inline CURLcode ccurl_set_head_sink(CURL *easy, ccurl_sink sink, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, sink);
    return code ? code : curl_easy_setopt(easy, CURLOPT_HEADERDATA, context);
}

static inline CURLcode ccurl_set_open_socket(
    CURL *easy, curl_opensocket_callback open, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open);
    return code ? code : curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, context);
}

static inline long ccurl_long(CURL *easy, CURLINFO info) {
    long value = 0;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : 0;
}

static inline curl_off_t ccurl_offset(CURL *easy, CURLINFO info) {
    curl_off_t value = 0;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : 0;
}

/// Lives until the handle's next transfer; NULL where there is none.
static inline const char *ccurl_text(CURL *easy, CURLINFO info) {
    char *value = NULL;
    return curl_easy_getinfo(easy, info, &value) == CURLE_OK ? value : NULL;
}

static inline CURLMcode ccurl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

/// libcurl then tells which sockets to watch and when to call it again.
static inline CURLMcode ccurl_multi_set_watch(
    CURLM *multi, curl_socket_callback watch, curl_multi_timer_callback timer, void *context) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch);
    if (!code) code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
    if (!code) code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
    return code ? code : curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
}

static inline CURLcode ccurl_result(const CURLMsg *message) { return message->data.result; }

/// Copies the numeric address about to be connected to, in network order.
/// Returns its length: 4, 16, or 0 where it is of another family.
static inline int ccurl_peer(const struct curl_sockaddr *peer, unsigned char bytes[16]) {
    const void *address = &peer->addr;
    if (peer->family == AF_INET) {
        memcpy(bytes, &((const struct sockaddr_in *)address)->sin_addr, 4);
        return 4;
    }
    if (peer->family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
        return 16;
    }
    return 0;
}

/// Opens the socket that libcurl asked for, not to be inherited by child processes.
static inline curl_socket_t ccurl_open(const struct curl_sockaddr *peer) {
    return socket(peer->family, peer->socktype | SOCK_CLOEXEC, peer->protocol);
}

static inline int ccurl_epoll(void) { return epoll_create1(EPOLL_CLOEXEC); }

static inline int ccurl_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

/// Watches a socket for what libcurl names: CURL_POLL_IN, _OUT, _INOUT or _REMOVE.
static inline void ccurl_epoll_set(int epoll, int socket, int what) {
    struct epoll_event event = {0};
    event.data.fd = socket;
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    // One that is closed already is watched no longer, and may be removed in vain.
    if (what == CURL_POLL_REMOVE)
        epoll_ctl(epoll, EPOLL_CTL_DEL, socket, NULL);
    else if (epoll_ctl(epoll, EPOLL_CTL_MOD, socket, &event))
        epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

/// A socket that is ready, and for what: CURL_CSELECT_IN, _OUT, _ERR.
struct ccurl_ready {
    int socket;
    int events;
};

/// Waits for so many milliseconds; returns how many of at most 256 sockets are ready.
static inline int ccurl_epoll_wait(int epoll, int milliseconds, struct ccurl_ready ready[256]) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll, events, 256, milliseconds);
    for (int index = 0; index < count; index++) {
        unsigned int found = events[index].events;
        ready[index].socket = events[index].data.fd;
        ready[index].events = (found & EPOLLIN ? CURL_CSELECT_IN : 0)
            | (found & EPOLLOUT ? CURL_CSELECT_OUT : 0)
            | (found & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    }
    return count;
}
