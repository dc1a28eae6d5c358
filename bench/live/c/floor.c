/* The least that telling N clients the same thing can cost: accept, and on a timer one send() each.
 *
 *     floor PORT EVERY_MS BYTES
 *
 * A yardstick, not a server: it answers any request with a stream, keeps nothing for a client that
 * takes nothing, and knows no channel. SIGUSR1 starts the timer and SIGUSR2 stops it, as with the
 * Python servers that bench/live measures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"

#define BACKLOG 4096
#define EVENTS_A_TURN 256
#define MAX_MESSAGE_BYTES 65536
#define MAX_REQUEST_BYTES 4096
#define MAX_FILES 65536

static const char REPLY[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                            "Cache-Control: no-store\r\nConnection: close\r\n\r\n";

static int epoll, listener, timer, signals;
static int open_clients[MAX_FILES], place_of[MAX_FILES], open_count;
static char frame[MAX_MESSAGE_BYTES + 64];
static int message_bytes;
static struct timespec every;

static void watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void set_up(char **arguments)
{
    int on = 1, every_ms = atoi(arguments[1]);
    struct rlimit files;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(arguments[0])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    sigset_t two;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < MAX_FILES ? files.rlim_max : MAX_FILES;
    setrlimit(RLIMIT_NOFILE, &files);
    sigemptyset(&two);
    sigaddset(&two, SIGUSR1);
    sigaddset(&two, SIGUSR2);
    sigprocmask(SIG_BLOCK, &two, NULL);
    every = (struct timespec){every_ms / 1000, every_ms % 1000 * 1000000L};
    message_bytes = atoi(arguments[2]);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    signals = signalfd(-1, &two, SFD_NONBLOCK | SFD_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (message_bytes < 2 + STAMP_DIGITS || message_bytes > MAX_MESSAGE_BYTES ||
        bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, BACKLOG) < 0) {
        perror("floor");
        exit(1);
    }
    watch(listener);
    watch(timer);
    watch(signals);
}

static void leave(int fd)
{
    if (place_of[fd] > 0) {
        int last = open_clients[--open_count];
        open_clients[place_of[fd] - 1] = last;
        place_of[last] = place_of[fd];
        place_of[fd] = 0;
    }
    close(fd);
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        watch(fd);
}

/* A request of our clients comes in one piece. */
static void take_request(int fd)
{
    char request[MAX_REQUEST_BYTES];
    ssize_t count = recv(fd, request, sizeof request, 0);
    if (count <= 0 || place_of[fd] > 0 ||
        send(fd, REPLY, sizeof REPLY - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof REPLY - 1)) {
        leave(fd);
        return;
    }
    open_clients[open_count++] = fd;
    place_of[fd] = open_count;
}

static void publish(void)
{
    uint64_t ticks;
    if (read(timer, &ticks, sizeof ticks) < 0)
        return;
    int count = snprintf(frame, sizeof frame, "id: bench:1\ndata: %c%0*llu", MARK, STAMP_DIGITS,
                         (unsigned long long)now_ns());
    int filler = message_bytes - 1 - STAMP_DIGITS;
    memset(frame + count, '.', (size_t)filler);
    memcpy(frame + count + filler, "\n\n", 2);
    size_t size = (size_t)(count + filler + 2);
    for (int i = 0; i < open_count; i++)
        send(open_clients[i], frame, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void obey(void)
{
    struct signalfd_siginfo given;
    struct itimerspec setting = {{0}, {0}};
    while (read(signals, &given, sizeof given) == (ssize_t)sizeof given) {
        if (given.ssi_signo == SIGUSR1)
            setting = (struct itimerspec){every, every};
        timerfd_settime(timer, 0, &setting, NULL);
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_A_TURN];
    if (argc != 4) {
        fputs("floor PORT EVERY_MS BYTES\n", stderr);
        return 2;
    }
    set_up(argv + 1);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_A_TURN, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all();
            else if (fd == timer)
                publish();
            else if (fd == signals)
                obey();
            else
                take_request(fd);
        }
    }
}
