/* memory.h for bare metal; a program for this machine takes those of its C library. */
#include "memory.h"

#include <stdint.h>

void *memcpy(void *to, const void *from, size_t count)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    while (count--) *out++ = *in++;
    return to;
}

void *memset(void *at, int value, size_t count)
{
    uint8_t *out = at;
    while (count--) *out++ = (uint8_t)value;
    return at;
}
