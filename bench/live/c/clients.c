/* Many clients of one live server in one process: one thread, one epoll.
 *
 *     clients ADDRESS PORT sse|ws PATH FIRST_SOURCE LOOK_US
 *
 * They look for what arrived every LOOK_US microseconds, and sleep in between on nothing that the
 * server could wake: on the loopback, waking a receiver is done in the sender's time, which no
 * network asks of a server. With 0 they sleep in epoll_wait(2), and each message may wake them.
 *
 * They connect from 127.0.0.FIRST_SOURCE and the seven addresses after it, since one address has
 * only some 28,000 ports. A client that is refused or whose connection ends comes back after
 * RETRY_MS. Commands come in by line; each is answered by one line of JSON:
 *
 *     cookies FILE    a cookie a line, for as many clients, the first ones; before they connect
 *     connect COUNT   that many more, at most PACED handshakes at a time; answers when all are open
 *     stall COUNT     that many more which will never read; answers when all have asked
 *     unstall         drops those
 *     storm           drops all connections and asks for all anew at once; answers when all are open
 *     await           answers when all have been ended since the last reset, and all are open again
 *     reset           forgets what was counted
 *     report          what was counted since; `open` are those who read
 *
 * The process ends when its input does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "tally.h"

#define PACED 128         /* handshakes at a time, so that a backlog is never the limit */
#define RETRY_MS 100      /* soon: a server has to stand impatient clients */
#define STARTS_A_TURN 256 /* between two looks at what arrived */
#define EVENTS_A_TURN 1024
#define SOURCES 8
#define SPARE_FILES 32
#define LINE_BYTES 256

static struct server server;
static struct client *clients; /* in the order of their coming; never moved: epoll points there */
static size_t capacity, wanted, open_count, shaking;
static size_t stalled_from; /* those who never read are the last; nobody joins behind them */
static size_t ended_stalled; /* they stay away */
static size_t pace = PACED;

/* Those who shall connect, in order. A client waits at most once, so `capacity` + 1 is enough. */
static struct client **waiting;
static size_t waiting_first, waiting_end;

static int answer_owed;
static size_t endings_owed; /* before that answer */
static uint64_t asked_ns;
static long look_ns;

static void fail(const char *what)
{
    fprintf(stderr, "clients: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void enqueue(struct client *client, uint64_t due_ns)
{
    client->due_ns = due_ns;
    waiting[waiting_end] = client;
    waiting_end = (waiting_end + 1) % (capacity + 1);
}

static void come_to(struct client *client, enum outcome outcome)
{
    uint64_t later = now_ns() + RETRY_MS * 1000000ull;
    switch (outcome) {
    case WENT_ON:
        break;
    case OPENED:
        shaking--;
        open_count++;
        break;
    case REFUSED:
        shaking--;
        tally.refused++;
        enqueue(client, later);
        break;
    case ENDED:
        open_count--;
        if (client->stalls) {
            ended_stalled++;
        } else {
            tally.closed++;
            enqueue(client, later);
        }
        break;
    }
}

static int all_are_open(void)
{
    return shaking == 0 && waiting_first == waiting_end;
}

static void start_some(void)
{
    uint64_t now = now_ns();
    for (int i = 0; i < STARTS_A_TURN && shaking < pace && waiting_first != waiting_end; i++) {
        struct client *client = waiting[waiting_first];
        if (client->due_ns > now)
            return;
        waiting_first = (waiting_first + 1) % (capacity + 1);
        shaking++;
        come_to(client, client_connect(client, &server));
    }
}

/* Milliseconds that epoll may sleep: clients that wait are looked after at least every 10. */
static int patience(void)
{
    if (look_ns > 0 && all_are_open())
        return 0;
    if (waiting_first == waiting_end)
        return -1;
    if (shaking >= pace)
        return 10;
    return waiting[waiting_first]->due_ns <= now_ns() ? 0 : 10;
}

static void answer(void)
{
    printf("{\"open\":%zu,\"seconds\":%.6f,\"refused\":%llu,\"closed\":%llu}\n", open_count,
           (double)(now_ns() - asked_ns) / 1e9, (unsigned long long)tally.refused,
           (unsigned long long)tally.closed);
    fflush(stdout);
    answer_owed = 0;
    endings_owed = 0;
}

static void report(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"open\":%zu,\"ended_stalled\":%zu,\"messages\":%llu,\"bytes\":%llu,"
           "\"refused\":%llu,\"closed\":%llu,\"cpu_s\":%.6f,",
           open_count - (wanted - stalled_from - ended_stalled), ended_stalled,
           (unsigned long long)tally.messages,
           (unsigned long long)tally.bytes, (unsigned long long)tally.refused,
           (unsigned long long)tally.closed, cpu_s);
    tally_print();
    puts("}");
    fflush(stdout);
}

static void add(size_t count, int stalls)
{
    if (wanted + count > capacity) {
        errno = EMFILE;
        fail("more clients than this process may open files");
    }
    for (size_t i = wanted; i < wanted + count; i++) {
        clients[i].stalls = (uint8_t)stalls;
        enqueue(&clients[i], 0);
    }
    wanted += count;
    if (!stalls)
        stalled_from = wanted;
}

static void drop(struct client *client)
{
    if (client->phase == OPEN || client->phase == STALLED)
        open_count--;
    client_drop(client);
}

static void unstall(void)
{
    while (wanted > stalled_from)
        drop(&clients[--wanted]);
    ended_stalled = 0;
}

static void storm(void)
{
    for (size_t i = 0; i < wanted; i++) {
        if (clients[i].phase != OPEN)
            continue;
        drop(&clients[i]);
        enqueue(&clients[i], 0);
    }
    pace = capacity;
}

static void give_cookies(const char *path)
{
    char line[COOKIE_BYTES];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail(path);
    for (size_t i = 0; i < capacity && fgets(line, sizeof line, file) != NULL; i++) {
        line[strcspn(line, "\n")] = 0;
        clients[i].cookie = strdup(line);
    }
    fclose(file);
}

/* Those that answer once all clients are open set `answer_owed`; the main loop does the rest. */
static void obey(const char *line)
{
    size_t count = 0;
    char path[LINE_BYTES];
    asked_ns = now_ns();
    answer_owed = 1;
    if (sscanf(line, "connect %zu", &count) == 1) {
        pace = PACED;
        add(count, 0);
    } else if (sscanf(line, "stall %zu", &count) == 1) {
        add(count, 1);
    } else if (sscanf(line, "cookies %s", path) == 1) {
        give_cookies(path);
    } else if (strcmp(line, "unstall\n") == 0) {
        unstall();
    } else if (strcmp(line, "storm\n") == 0) {
        storm();
    } else if (strcmp(line, "reset\n") == 0) {
        tally_reset();
    } else if (strcmp(line, "report\n") == 0) {
        report();
        answer_owed = 0;
    } else if (strcmp(line, "await\n") == 0) {
        endings_owed = stalled_from;
    } else {
        errno = EINVAL;
        fail(line);
    }
}

/* One command at a time: whoever sends them waits for the answer. */
static void read_command(void)
{
    char line[LINE_BYTES];
    ssize_t count = read(STDIN_FILENO, line, sizeof line - 1);
    if (count <= 0)
        exit(0);
    line[count] = 0;
    obey(line);
}

static void set_up_server(char **arguments)
{
    static const char upgrade[] = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    server.address.sin_family = AF_INET;
    server.address.sin_port = htons((uint16_t)atoi(arguments[1]));
    if (inet_pton(AF_INET, arguments[0], &server.address.sin_addr) != 1)
        fail(arguments[0]);
    server.websocket = strcmp(arguments[2], "ws") == 0;
    server.request_bytes = (size_t)snprintf(
        server.request, sizeof server.request, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
        arguments[3], arguments[0], server.websocket ? upgrade : "Accept: text/event-stream\r\n");
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (server.epoll < 0 || server.request_bytes >= sizeof server.request)
        fail("set-up");
}

static void set_up_clients(unsigned first_source)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    capacity = files.rlim_cur - SPARE_FILES;
    clients = calloc(capacity, sizeof *clients);
    waiting = calloc(capacity + 1, sizeof(struct client *));
    if (clients == NULL || waiting == NULL)
        fail("memory");
    for (size_t i = 0; i < capacity; i++) {
        clients[i].fd = -1;
        clients[i].source.sin_family = AF_INET;
        clients[i].source.sin_addr.s_addr =
            htonl(INADDR_LOOPBACK - 1 + first_source + (uint32_t)(i % SOURCES));
    }
}

static void run(void)
{
    static struct epoll_event events[EVENTS_A_TURN];
    for (;;) {
        start_some();
        if (answer_owed && open_count + ended_stalled == wanted && tally.closed >= endings_owed)
            answer();
        int count = epoll_wait(server.epoll, events, EVENTS_A_TURN, patience());
        if (count == 0 && look_ns > 0 && all_are_open())
            nanosleep(&(struct timespec){.tv_nsec = look_ns}, NULL);
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (client == NULL)
                read_command();
            else
                come_to(client, client_event(client, &server));
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fputs("clients ADDRESS PORT sse|ws PATH FIRST_SOURCE LOOK_US\n", stderr);
        return 2;
    }
    set_up_server(argv + 1);
    set_up_clients((unsigned)atoi(argv[5]));
    look_ns = atol(argv[6]) * 1000;
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(server.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    run();
}
