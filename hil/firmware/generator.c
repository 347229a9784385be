#include "generator.h"

#include "memory.h"

#ifndef BAUD
#define BAUD 115200
#endif
#ifndef GENERATION
#define GENERATION 2
#endif

#define AS_THE_LINE_CARRIES 15
#define COUNTED_SIZE 13
#define DF5_SIZE 31
#define LEAD 10000 /* microseconds until the first event: the scan has to be started */
#define TAGS 8

static const uint16_t rates[16] = {0, 1, 10, 20, 50, 100, 226, 500, 2, 200};
static const uint8_t whole_frame[] = {0xCA, 0x00, 0x19, 0x17, 0x9E, 0x0A, 0x2C};

static struct {
    enum pattern pattern;
    uint8_t size;
    uint32_t events, sent;
    uint32_t random;
    uint64_t begin;
    uint64_t steps; /* periods since begin, at the next event */
    /* A period as a fraction, so that no rounding adds up: microseconds = over / under. */
    uint64_t over;
    uint32_t under;
} g;

static uint32_t draw(void)
{
    g.random ^= g.random << 13;
    g.random ^= g.random >> 17;
    g.random ^= g.random << 5;
    return g.random;
}

/* The next millisecond in which something happens, each with the same probability. */
static void skip_to_chance(void)
{
    while (draw() % 1000 >= g.under) g.steps++;
}

void generator_set(uint16_t word, uint64_t now)
{
    unsigned rate = word >> 8 & 15;
    memset(&g, 0, sizeof g);
    g.pattern = word >> 12 & 7;
    g.size = (uint8_t)word;
    g.begin = now + LEAD;
    g.random = 0x48494C31;
    if (g.pattern == PATTERN_TAGS) g.size = DF5_SIZE;
    if (rate == AS_THE_LINE_CARRIES) {
        unsigned frame = g.size + (GENERATION == 1 ? 16u : 20u);
        g.over = (uint64_t)frame * 10 * 1000000;
        g.under = BAUD;
    } else {
        g.over = 1000000;
        g.under = rates[rate];
    }
    if (g.pattern == PATTERN_RANDOM && g.under) skip_to_chance();
}

uint64_t generator_deadline(void)
{
    if (!g.under) return UINT64_MAX;
    if (g.pattern == PATTERN_RANDOM) return g.begin + g.steps * 1000;
    return g.begin + g.steps * g.over / g.under;
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void count_in(struct ca_report *report)
{
    uint16_t company = 0x0499;
    uint8_t type = 0xFF;
    uint8_t *adv = report->adv;
    memset(adv, 0, g.size);
    if (g.size < COUNTED_SIZE) return;
    if (g.pattern == PATTERN_MIXED) {
        if (g.events % 3 == 1) company = 0x004C;
        if (g.events % 3 == 2) type = 0x16; /* service data: of no company */
    }
    adv[0] = (uint8_t)(g.size - 1);
    adv[1] = type;
    adv[2] = (uint8_t)company;
    adv[3] = (uint8_t)(company >> 8);
    adv[4] = 'H';
    put_u32(adv + 5, g.events);
    put_u32(adv + 9, g.sent);
    for (unsigned i = COUNTED_SIZE; i < g.size; i++) {
        unsigned at = i - COUNTED_SIZE;
        adv[i] = g.pattern == PATTERN_FRAMES ? whole_frame[at % sizeof whole_frame] : (uint8_t)at;
    }
}

static void measure(struct ca_report *report)
{
    /* The valid example of data format 5, whose readings are plausible for ever. */
    static const uint8_t data[DF5_SIZE] = {
        0x02, 0x01, 0x06, 0x1B, 0xFF, 0x99, 0x04, 0x05, 0x12, 0xFC, 0x53,
        0x94, 0xC3, 0x7C, 0x00, 0x04, 0xFF, 0xFC, 0x04, 0x0C, 0xAC, 0x36,
        0x42, 0x00, 0xCD,
    };
    memcpy(report->adv, data, sizeof data);
    report->adv[23] = (uint8_t)(g.events >> 8);
    report->adv[24] = (uint8_t)g.events;
    memcpy(report->adv + 25, report->mac, 6);
}

void generator_next(struct ca_report *report)
{
    static const uint8_t address[6] = {0xC0, 'H', 'I', 'L', 0, 0};
    memcpy(report->mac, address, sizeof address);
    report->adv_len = g.size;
    report->rssi = (int8_t)(-40 - (int)(g.events % 50));
    report->primary_phy = 1;
    report->secondary_phy = 15;
    report->channel = 0;
    report->is_coded = false;
    report->tx_power = -64;
    switch (g.pattern) {
    case PATTERN_TAGS:
        report->mac[5] = (uint8_t)(g.events % TAGS);
        measure(report);
        break;
    case PATTERN_MIXED:
        report->mac[5] = (uint8_t)(g.events % 3);
        count_in(report);
        break;
    case PATTERN_CODED:
        report->primary_phy = report->secondary_phy = 4;
        report->channel = (uint8_t)(g.events % 37);
        count_in(report);
        break;
    case PATTERN_EXTENDED:
        report->secondary_phy = 2;
        report->channel = (uint8_t)(g.events % 37);
        report->tx_power = (int8_t)((int)(g.events % 127) - 63);
        count_in(report);
        break;
    default:
        count_in(report);
    }
    g.events++;
    g.steps++;
    if (g.pattern == PATTERN_RANDOM) skip_to_chance();
}

void generator_sent(void)
{
    g.sent++;
}
