/* Time and stamps: what publishers write into a message and clients read out of it.
 *
 * A stamp is MARK and STAMP_DIGITS decimal digits: CLOCK_MONOTONIC in nanoseconds when the message
 * was published. That clock is one for all processes of a machine. Nothing else that a server under
 * test sends may contain MARK. bench/live/publisher.py writes the same.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

#define MARK '~'
#define STAMP_DIGITS 19

static inline uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
