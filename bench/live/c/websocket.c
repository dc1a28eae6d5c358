#include "websocket.h"

#include <string.h>

enum { OPCODE_CLOSE = 0x8, OPCODE_PING = 0x9, OPCODE_PONG = 0xA };

static size_t head_size(const struct frames *frames)
{
    if (frames->have < 2)
        return 2;
    switch (frames->head[1] & 0x7f) {
    case 126:
        return 4;
    case 127:
        return 10;
    default:
        return 2;
    }
}

static uint64_t length_of(const struct frames *frames, size_t size)
{
    if (size == 2)
        return frames->head[1] & 0x7f;
    uint64_t length = 0;
    for (size_t i = 2; i < size; i++)
        length = length << 8 | frames->head[i];
    return length;
}

/* Returns whether the head is complete. */
static int read_head(struct frames *frames, const uint8_t **at, const uint8_t *end)
{
    size_t size;
    while (frames->have < (size = head_size(frames))) {
        if (*at == end)
            return 0;
        frames->head[frames->have++] = *(*at)++;
    }
    frames->left = length_of(frames, size);
    frames->control_bytes = 0;
    frames->inside = 1;
    return 1;
}

static size_t take(struct frames *frames, const uint8_t **at, const uint8_t *end)
{
    size_t length = (size_t)(end - *at);
    if (length > frames->left)
        length = (size_t)frames->left;
    *at += length;
    frames->left -= length;
    return length;
}

enum frame_event frames_next(struct frames *frames, const uint8_t **at, const uint8_t *end,
                             const uint8_t **payload, size_t *length)
{
    while (frames->inside || read_head(frames, at, end)) {
        int opcode = frames->head[0] & 0x0f;
        *payload = *at;
        *length = take(frames, at, end);
        int complete = frames->left == 0;
        if (complete)
            frames->inside = frames->have = 0;
        if (opcode < OPCODE_CLOSE) {
            if (*length > 0)
                return FRAME_PAYLOAD;
        } else if (frames->control_bytes + *length <= MAX_CONTROL_BYTES) {
            memcpy(frames->control + frames->control_bytes, *payload, *length);
            frames->control_bytes += (uint8_t)*length;
            if (complete && opcode == OPCODE_CLOSE)
                return FRAME_CLOSE;
            if (complete && opcode == OPCODE_PING)
                return FRAME_PING;
        }
        if (!complete)
            return FRAME_NOTHING;
    }
    return FRAME_NOTHING;
}

/* The mask is zero, which leaves the payload as it is: legal bytes, and no secret to protect. */
size_t frame_pong(const struct frames *frames, uint8_t *out)
{
    out[0] = 0x80 | OPCODE_PONG;
    out[1] = 0x80 | frames->control_bytes;
    memset(out + 2, 0, 4);
    memcpy(out + 6, frames->control, frames->control_bytes);
    return 6u + frames->control_bytes;
}
