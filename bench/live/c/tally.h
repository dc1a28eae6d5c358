/* What arrived since the last reset: counts, the last arrival of each message, and a histogram of
 * the time from publishing to each arrival. Every message of every client is counted, none sampled:
 * a tally costs some 50 ns, the recv() before it twenty times that.
 */
#ifndef TALLY_H
#define TALLY_H

#include <stdint.h>

struct tally {
    uint64_t messages; /* with a whole stamp */
    uint64_t bytes;    /* bodies: without the heads of replies */
    uint64_t refused;  /* attempts that ended before a good reply; each is repeated */
    uint64_t closed;   /* open connections that the server ended */
};

extern struct tally tally;

void tally_reset(void);
void tally_stamp(uint64_t stamp_ns, uint64_t now);

/* `"deliveries":[[stamp, clients, last arrival], …],"latency_us":[[at most, count], …]` */
void tally_print(void);

#endif
