/* Advertising without a radio: events at a known rate, of a known size, with counters in them.
 *
 * SET_ALL with the filter off and an id of 0x8000 or more sets it; with the filter off the id has
 * no other meaning. Bits of the id:
 *
 *     15       1
 *     14 - 12  pattern, below
 *     11 - 8   rate, index into 0, 1, 10, 20, 50, 100, 226, 500, 2, 200 per second; 15: as many
 *              as the line carries
 *     7 - 0    bytes of advertising data
 *
 * The data of all patterns but `tags` is one AD structure: the company, 'H', two counters of four
 * bytes (high byte first): events since the generator was set, and reports that were handed to
 * the line before this one; then filling. Less than 13 bytes are zeros.
 */
#ifndef GENERATOR_H
#define GENERATOR_H

#include "codec.h"

enum pattern {
    PATTERN_PLAIN,    /* company 0x0499, legacy advertising */
    PATTERN_FRAMES,   /* the filling is full of whole frames and delimiters */
    PATTERN_MIXED,    /* in turn: company 0x0499, 0x004C, none */
    PATTERN_EXTENDED, /* secondary PHY 2M, secondary channel and power in turn */
    PATTERN_CODED,    /* coded PHY */
    PATTERN_RANDOM,   /* plain, at random times */
    PATTERN_TAGS,     /* eight RuuviTags: data format 5, of which the sequence number counts */
};

void generator_set(uint16_t word, uint64_t now);
uint64_t generator_deadline(void);

/* The event that has become due; the caller tells afterwards whether it was handed to the line. */
void generator_next(struct ca_report *report);
void generator_sent(void);

#endif
