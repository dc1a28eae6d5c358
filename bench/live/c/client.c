#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "tally.h"

#define READ_BYTES 65536
#define STALLED_BUFFER_BYTES 2048
#define END_OF_HEAD 0x0d0a0d0a /* "\r\n\r\n" */

static uint8_t buffer[READ_BYTES];

static void watch(struct client *client, const struct server *server, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    epoll_ctl(server->epoll, how, client->fd, &event);
}

static void set_option(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof value);
}

static void shut(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->phase = IDLE;
}

void client_drop(struct client *client)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (client->fd >= 0)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shut(client);
}

/* The port is chosen at connect(), per destination: bind() alone would run out of ports. */
enum outcome client_connect(struct client *client, const struct server *server)
{
    client->digits = client->status_bytes = 0;
    client->tail = 0;
    memset(&client->frames, 0, sizeof client->frames);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        return REFUSED;
    if (client->stalls)
        set_option(client->fd, SOL_SOCKET, SO_RCVBUF, STALLED_BUFFER_BYTES);
    set_option(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (bind(client->fd, (struct sockaddr *)&client->source, sizeof client->source) < 0 ||
        (connect(client->fd, (struct sockaddr *)&server->address, sizeof server->address) < 0 &&
         errno != EINPROGRESS)) {
        shut(client);
        return REFUSED;
    }
    client->phase = CONNECTING;
    watch(client, server, EPOLL_CTL_ADD, EPOLLOUT);
    return WENT_ON;
}

/* Everybody's request, with the client's own cookie before its empty line. Returns whether it went
 * out whole. */
static int send_request(const struct client *client, const struct server *server)
{
    char request[REQUEST_BYTES + COOKIE_BYTES];
    if (client->cookie == NULL)
        return send(client->fd, server->request, server->request_bytes, MSG_NOSIGNAL) ==
               (ssize_t)server->request_bytes;
    int length = snprintf(request, sizeof request, "%.*sCookie: %s\r\n\r\n",
                          (int)server->request_bytes - 2, server->request, client->cookie);
    return length < (int)sizeof request &&
           send(client->fd, request, (size_t)length, MSG_NOSIGNAL) == length;
}

static enum outcome ask(struct client *client, const struct server *server)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0 || !send_request(client, server)) { /* a fresh socket takes a request whole */
        shut(client);
        return REFUSED;
    }
    client->phase = client->stalls ? STALLED : ASKING;
    watch(client, server, EPOLL_CTL_MOD, client->stalls ? 0 : EPOLLIN);
    return client->stalls ? OPENED : WENT_ON;
}

/* Past the head of the reply, or NULL while it goes on. */
static const uint8_t *skip_head(struct client *client, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        if (client->status_bytes < sizeof client->status)
            client->status[client->status_bytes++] = (char)*at;
        client->tail = client->tail << 8 | *at++;
        if (client->tail == END_OF_HEAD)
            return at;
    }
    return NULL;
}

static int welcome(const struct client *client, const struct server *server)
{
    const char *wanted = server->websocket ? "HTTP/1.1 101" : "HTTP/1.1 200";
    return memcmp(client->status, wanted, sizeof client->status) == 0;
}

/* Finds each stamp, also one that is split between two reads. */
static void scan(struct client *client, const uint8_t *at, const uint8_t *end, uint64_t now)
{
    while (at < end) {
        if (client->digits == 0) {
            at = memchr(at, MARK, (size_t)(end - at));
            if (at == NULL)
                return;
            at++;
            client->digits = STAMP_DIGITS;
            client->stamp_ns = 0;
        }
        while (client->digits > 0 && at < end) {
            client->stamp_ns = client->stamp_ns * 10 + (uint64_t)(*at++ - '0');
            if (--client->digits == 0)
                tally_stamp(client->stamp_ns, now);
        }
    }
}

static enum outcome read_frames(struct client *client, const uint8_t *at, const uint8_t *end,
                                uint64_t now)
{
    const uint8_t *payload;
    uint8_t pong[MAX_CONTROL_BYTES + 6];
    size_t length;
    for (;;) {
        switch (frames_next(&client->frames, &at, end, &payload, &length)) {
        case FRAME_NOTHING:
            return WENT_ON;
        case FRAME_PAYLOAD:
            scan(client, payload, payload + length, now);
            break;
        case FRAME_PING:
            length = frame_pong(&client->frames, pong);
            if (send(client->fd, pong, length, MSG_NOSIGNAL) != (ssize_t)length)
                return ENDED;
            break;
        case FRAME_CLOSE:
            return ENDED;
        }
    }
}

static enum outcome read_body(struct client *client, const struct server *server,
                              const uint8_t *at, const uint8_t *end, uint64_t now)
{
    tally.bytes += (uint64_t)(end - at);
    if (server->websocket)
        return read_frames(client, at, end, now);
    scan(client, at, end, now);
    return WENT_ON;
}

static enum outcome read_some(struct client *client, const struct server *server)
{
    ssize_t count = recv(client->fd, buffer, sizeof buffer, 0);
    uint64_t now = now_ns();
    if (count < 0 && errno == EAGAIN)
        return WENT_ON;
    enum outcome failure = client->phase == OPEN ? ENDED : REFUSED, outcome = failure;
    const uint8_t *at = buffer, *end = buffer + (count > 0 ? count : 0);
    if (count > 0 && client->phase == OPEN) {
        outcome = read_body(client, server, at, end, now);
    } else if (count > 0) {
        at = skip_head(client, at, end);
        if (at == NULL)
            return WENT_ON;
        if (welcome(client, server)) {
            client->phase = OPEN;
            outcome = read_body(client, server, at, end, now) == ENDED ? REFUSED : OPENED;
        }
    }
    if (outcome == failure)
        shut(client);
    return outcome;
}

/* A stalled client is watched for nothing, so what wakes it is the end of its connection. */
enum outcome client_event(struct client *client, const struct server *server)
{
    switch (client->phase) {
    case CONNECTING:
        return ask(client, server);
    case ASKING:
    case OPEN:
        return read_some(client, server);
    case STALLED:
        shut(client);
        return ENDED;
    default:
        return WENT_ON;
    }
}
