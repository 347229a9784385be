/* The two functions of a C library that are needed: bare metal has none, and no <string.h>. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t count);
void *memset(void *at, int value, size_t count);

#endif
