/* The frames of a WebSocket server, as far as a client that only listens must read them (RFC 6455,
 * section 5): lengths, so that payloads are told from headers, and pings, which it must answer.
 */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include <stddef.h>
#include <stdint.h>

#define MAX_CONTROL_BYTES 125

struct frames {
    uint64_t left;         /* payload bytes still to come */
    uint8_t head[10];      /* never masked: a server must not (5.1) */
    uint8_t have;          /* bytes of `head` so far; 0 between frames */
    uint8_t inside;        /* the head is complete, `left` counts */
    uint8_t control_bytes; /* of `control` */
    uint8_t control[MAX_CONTROL_BYTES];
};

enum frame_event {
    FRAME_NOTHING, /* all bytes used, wait for more */
    FRAME_PAYLOAD, /* `*payload` points at data of a message, perhaps not all of a frame's */
    FRAME_PING,    /* answer with frame_pong() */
    FRAME_CLOSE,   /* the server says goodbye */
};

/* Move `*at` past the next thing before `end`. `*length` is that of a FRAME_PAYLOAD. */
enum frame_event frames_next(struct frames *frames, const uint8_t **at, const uint8_t *end,
                             const uint8_t **payload, size_t *length);

/* The answer to the ping just read; returns its size, at most MAX_CONTROL_BYTES + 6. */
size_t frame_pong(const struct frames *frames, uint8_t *out);

#endif
