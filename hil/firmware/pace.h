/* When bytes leave a line of BAUD bits per second, for a UART that takes no time: an emulated
 * one, or a pseudo-terminal. Ten bits a byte; no rounding adds up within a run of bytes.
 */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>

#ifndef BAUD
#define BAUD 115200
#endif
#define AT_ONCE 8       /* bytes that may leave together, so that not each one costs a wake-up */
#define LONGEST_LAG 50000 /* microseconds; beyond, there was a standstill: no catching up */

struct pace {
    uint64_t begin, bytes;
};

static inline uint64_t pace_when(const struct pace *pace, uint64_t bytes)
{
    return pace->begin + bytes * 10000000 / BAUD;
}

/* One more byte begins; returns when it will have left. */
static inline uint64_t pace_byte(struct pace *pace, uint64_t now, bool was_idle)
{
    if (was_idle || pace_when(pace, pace->bytes) + LONGEST_LAG < now) {
        pace->begin = now;
        pace->bytes = 0;
    }
    return pace_when(pace, ++pace->bytes);
}

/* When to look again, if `ahead` bytes can follow this one without a decision in between. */
static inline uint64_t pace_look(const struct pace *pace, unsigned ahead)
{
    return pace_when(pace, pace->bytes + (ahead < AT_ONCE ? ahead : AT_ONCE - 1));
}

#endif
