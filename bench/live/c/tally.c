#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A histogram with 64 steps to each power of two: 1.6 % wide, so percentiles are that exact. */
#define STEP_BITS 6
#define STEPS (1u << STEP_BITS)
#define BUCKETS ((64 - STEP_BITS) * STEPS)

#define MAX_DELIVERIES 100000 /* ten minutes at 100 a second, with room */

struct delivery {
    uint64_t stamp_ns, clients, last_ns;
};

struct tally tally;

static uint64_t histogram[BUCKETS];
static struct delivery deliveries[MAX_DELIVERIES];
static size_t delivery_count;

void tally_reset(void)
{
    memset(&tally, 0, sizeof tally);
    memset(histogram, 0, sizeof histogram);
    delivery_count = 0;
}

static unsigned bucket_of(uint64_t value)
{
    if (value < STEPS)
        return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - STEP_BITS;
    return (shift << STEP_BITS) + (unsigned)(value >> shift);
}

static uint64_t upper_bound(unsigned bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned shift = (bucket >> STEP_BITS) - 1;
    return (((uint64_t)(bucket - (shift << STEP_BITS)) + 1) << shift) - 1;
}

/* Arrivals of one message come close together, so the search from the end is short. */
static struct delivery *delivery_of(uint64_t stamp_ns)
{
    for (size_t i = delivery_count; i-- > 0;)
        if (deliveries[i].stamp_ns == stamp_ns)
            return &deliveries[i];
    if (delivery_count == MAX_DELIVERIES) {
        fputs("clients: too many messages since the last reset\n", stderr);
        exit(1);
    }
    struct delivery *fresh = &deliveries[delivery_count++];
    *fresh = (struct delivery){.stamp_ns = stamp_ns};
    return fresh;
}

void tally_stamp(uint64_t stamp_ns, uint64_t now)
{
    struct delivery *delivery = delivery_of(stamp_ns);
    delivery->clients++;
    delivery->last_ns = now;
    histogram[bucket_of((now - stamp_ns) / 1000)]++;
    tally.messages++;
}

void tally_print(void)
{
    const char *comma = "";
    fputs("\"deliveries\":[", stdout);
    for (size_t i = 0; i < delivery_count; i++, comma = ",")
        printf("%s[%llu,%llu,%llu]", comma, (unsigned long long)deliveries[i].stamp_ns,
               (unsigned long long)deliveries[i].clients,
               (unsigned long long)deliveries[i].last_ns);
    comma = "";
    fputs("],\"latency_us\":[", stdout);
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        if (histogram[bucket] == 0)
            continue;
        printf("%s[%llu,%llu]", comma, (unsigned long long)upper_bound(bucket),
               (unsigned long long)histogram[bucket]);
        comma = ",";
    }
    fputs("]", stdout);
}
