// zlib for Swift: opening a stream is a macro, which Swift cannot import, and an open stream must stay
// where it is in memory. Nothing here decides anything.
#pragma once
#include <stdlib.h>
#include <zlib.h>

/// Opens a stream that unpacks gzip, or what zlib itself has wrapped; NULL where memory is short.
static inline z_stream *czlib_open(void) {
    z_stream *stream = calloc(1, sizeof *stream);
    // 15: the largest window; 32: whichever of the two wrappings is found.
    if (stream && inflateInit2(stream, 15 + 32) == Z_OK) return stream;
    free(stream);
    return NULL;
}

static inline void czlib_close(z_stream *stream) {
    inflateEnd(stream);
    free(stream);
}

/// Unpacks until the input is used up or the output is full; `avail_in` and `avail_out` then say what
/// is left of them. Neither pointer is kept.
static inline int czlib_unpack(
    z_stream *stream, const unsigned char *input, unsigned int input_count, unsigned char *output,
    unsigned int output_count) {
    stream->next_in = (unsigned char *)input;
    stream->avail_in = input_count;
    stream->next_out = output;
    stream->avail_out = output_count;
    int code = inflate(stream, Z_NO_FLUSH);
    stream->next_in = NULL;
    stream->next_out = NULL;
    return code;
}
