/* One client: connects, asks for a stream (SSE) or a WebSocket, and reads what comes.
 *
 * It never blocks. `client_event` takes what epoll said and returns what that came to.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <netinet/in.h>
#include <stdint.h>

#include "websocket.h"

enum phase { IDLE, CONNECTING, ASKING, OPEN, STALLED };

struct client {
    int fd;
    uint8_t phase;
    uint8_t stalls;       /* never reads: its small receive buffer fills, and stays full */
    uint8_t digits;       /* of a stamp, still to come; 0 while looking for MARK */
    uint8_t status_bytes; /* of `status` */
    char status[12];      /* "HTTP/1.1 200" */
    uint32_t tail;        /* the last four bytes of a head */
    uint64_t stamp_ns;
    uint64_t due_ns; /* when to connect, while IDLE */
    struct sockaddr_in source;
    const char *cookie; /* its own, or NULL */
    struct frames frames;
};

#define REQUEST_BYTES 512
#define COOKIE_BYTES 256

enum outcome { WENT_ON, OPENED, REFUSED, ENDED };

struct server {
    struct sockaddr_in address;
    int websocket;
    int epoll;
    char request[REQUEST_BYTES];
    size_t request_bytes;
};

/* REFUSED when it failed at once. */
enum outcome client_connect(struct client *client, const struct server *server);
enum outcome client_event(struct client *client, const struct server *server);

/* By reset: nothing of the connection remains, and no port waits in TIME_WAIT. */
void client_drop(struct client *client);

#endif
