/* The device side of CA-UART, as the official firmware behaves, without its radio.
 *
 * What a host has to live with, on purpose:
 *
 * - A chunk ends with each 0x0A or after 212 bytes. It is a frame from its first byte on, or it
 *   joins the ring of earlier failures, which is then tried from its first byte on. Nothing
 *   searches for STX and no time-out clears the ring. More than 64 bytes in it overflow the
 *   stack of the original; here that is a reset.
 * - One slot for a reply; the next command replaces what is in it.
 * - Without a report for 42 s the watchdog resets it, and it forgets its configuration.
 *
 * GENERATION 1 behaves like firmware 1.0.0, 2 (the default) like 2.0.0.
 */
#include "codec.h"
#include "generator.h"
#include "hal.h"
#include "memory.h"
#include "tx.h"

#ifndef GENERATION
#define GENERATION 2
#endif
#ifndef WATCHDOG_MS
#define WATCHDOG_MS (GENERATION == 1 ? 20000 : 42000)
#endif
#ifndef HAS_CODED_PHY
#define HAS_CODED_PHY 1
#endif
#ifndef GENERATOR
#define GENERATOR 0xE21F /* eight tags, 10 reports per second of all together */
#endif

#define IS_V1 (GENERATION == 1)
#define ROOM (IS_V1 ? 31 : 192) /* bytes of advertising data */
#define CHUNK_SIZE 212
#define RING_SIZE 127
#define DECODE_SIZE 64
#define NEVER UINT64_MAX
#define BOOT_LED_MS 4000
#define SCAN_START 5000 /* microseconds that starting a scan takes */
#define SCAN_INTERVAL 7000000
#define TURN 100 /* from an event to what it scheduled */

struct scan {
    bool on;
    uint64_t begin, end;
    uint8_t flags; /* those in effect until it ends */
    bool coded;    /* the primary PHY */
};

struct reply {
    uint8_t frame[32];
    size_t size;
};

static struct {
    uint16_t id;
    uint8_t flags, max_adv_len;
    bool waits_for_settings;
    bool last_coded;
    struct scan scan;
    uint64_t watchdog_at, led_off_at;
    uint8_t chunk[CHUNK_SIZE], ring[RING_SIZE];
    size_t chunk_size, ring_size;
    struct reply replies[IS_V1 ? 4 : 1];
    unsigned reply_count;
    uint64_t reply_at;
    bool reply_waits; /* for the end of the frame on the line */
    unsigned times_sent;
} d;

static void feed_watchdog(uint64_t now)
{
    d.watchdog_at = now + (uint64_t)WATCHDOG_MS * 1000;
}

static void light(uint64_t now, unsigned ms)
{
    hal_led(ms != 0);
    d.led_off_at = ms ? now + (uint64_t)ms * 1000 : NEVER;
}

/* --- scan */

static unsigned channel_count(uint8_t flags)
{
    return !!(flags & CA_CH_37) + !!(flags & CA_CH_38) + !!(flags & CA_CH_39);
}

static void start_scan(uint64_t now)
{
    uint8_t flags = d.flags;
    if (!HAS_CODED_PHY) flags &= (uint8_t)~CA_CODED;
    /* 2M is never a primary PHY: without 1M it still means 1M, but no legacy advertising. */
    bool uncoded = flags & (CA_1M | CA_2M);
    bool coded = flags & CA_CODED;
    d.scan.on = channel_count(flags) && (coded || uncoded);
    if (!d.scan.on) return;
    d.scan.flags = flags;
    d.scan.coded = coded && !(uncoded && d.last_coded);
    d.scan.begin = now + SCAN_START;
    d.scan.end = d.scan.begin + (uint64_t)SCAN_INTERVAL * channel_count(flags);
    d.last_coded = d.scan.coded;
    if (IS_V1) feed_watchdog(now);
}

static uint8_t scanned_channel(uint64_t now)
{
    unsigned step = (unsigned)((now - d.scan.begin) / SCAN_INTERVAL);
    uint8_t channel = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (!(d.scan.flags & (CA_CH_37 << i))) continue;
        channel = (uint8_t)(37 + i);
        if (step-- == 0) break;
    }
    return channel;
}

static bool hears(const struct ca_report *event, uint64_t now)
{
    if (!d.scan.on || now < d.scan.begin) return false;
    if ((event->primary_phy == 4) != d.scan.coded) return false;
    if (event->secondary_phy == 15) return !d.scan.coded && (d.scan.flags & CA_1M);
    return d.scan.flags & (CA_2M | CA_CODED);
}

static void report(uint64_t now)
{
    static struct ca_message message;
    static uint8_t frame[CA_MAX_FRAME];
    struct ca_report *event = &message.report;
    generator_next(event);
    if (!hears(event, now)) return;
    if (event->adv_len > (d.max_adv_len ? d.max_adv_len : ROOM)) return;
    /* The host allowed more than there is room for: the original overwrites memory. */
    if (event->adv_len > ROOM) hal_reset();
    if (d.flags & CA_FILTER && ca_company(event->adv, event->adv_len) != d.id) return;
    feed_watchdog(now);
    message.command = IS_V1 ? CA_ADV_RPRT : CA_ADV_RPRT2;
    if (event->secondary_phy == 15) event->channel = scanned_channel(now);
    event->is_coded = d.scan.coded;
    if (tx_send(frame, ca_encode(&message, frame), false)) generator_sent();
}

/* --- replies */

static void reply(const struct ca_message *message, uint64_t at)
{
    uint8_t frame[CA_MAX_FRAME];
    size_t size = ca_encode(message, frame);
    if (d.reply_count) {
        if (at < d.reply_at) at = d.reply_at;
        if (!IS_V1) d.reply_count = 0; /* whatever waited there is never sent */
        if (d.reply_count == sizeof d.replies / sizeof d.replies[0]) return;
    }
    memcpy(d.replies[d.reply_count].frame, frame, size);
    d.replies[d.reply_count++].size = size;
    d.reply_at = at;
    d.reply_waits = false;
}

static void send_replies(uint64_t now)
{
    if (!d.reply_count || now < d.reply_at) return;
    if (!IS_V1 && !d.reply_waits && tx_busy()) {
        d.reply_waits = true;
        d.times_sent = tx_times_sent();
    }
    if (d.reply_waits && d.times_sent == tx_times_sent()) return;
    d.reply_waits = false;
    for (unsigned i = 0; i < d.reply_count; i++)
        tx_send(d.replies[i].frame, d.replies[i].size, true);
    d.reply_count = 0;
}

/* --- commands */

/* One flag; what concerns the scan waits for its next start. True: refused. */
static bool set_flag(uint8_t flag, bool on)
{
    uint8_t flags = on ? d.flags | flag : d.flags & (uint8_t)~flag;
    if (flag & CA_CHANNELS && !(flags & CA_CHANNELS)) return true;
    d.flags = flags;
    return flag == CA_CODED && !HAS_CODED_PHY;
}

static bool set_all(const struct ca_message *command, uint64_t now)
{
    uint8_t flags = command->all.flags;
    bool refused = !(flags & CA_CHANNELS) || !HAS_CODED_PHY;
    if (!(flags & CA_CHANNELS)) flags |= d.flags & CA_CHANNELS;
    d.flags = flags;
    d.id = command->all.id;
    d.max_adv_len = command->all.max_adv_len;
    start_scan(now);
    if (d.waits_for_settings) {
        d.waits_for_settings = false; /* the main loop is entered, which starts it once more */
        start_scan(now);
        feed_watchdog(now);
    } else if (d.scan.on) {
        feed_watchdog(now);
    }
    if (!(flags & CA_FILTER) && d.id & 0x8000) generator_set(d.id, now);
    return refused;
}

static void execute(const struct ca_message *command, uint64_t now)
{
    static const uint8_t flag_of[] = {
        [CA_SET_FLTR_TAGS] = CA_FILTER, [CA_SET_CODED_PHY] = CA_CODED,
        [CA_SET_SCAN_1MB_PHY] = CA_1M,  [CA_SET_SCAN_2MB_PHY] = CA_2M,
        [CA_SET_CH_37] = CA_CH_37,      [CA_SET_CH_38] = CA_CH_38,
        [CA_SET_CH_39] = CA_CH_39,
    };
    struct ca_message answer = {.command = CA_ACK, .ack = {.command = command->command}};
    uint64_t at = now + TURN;
    switch (command->command) {
    case CA_GET_DEVICE_ID:
        answer.command = CA_DEVICE_ID;
        hal_identity(answer.device.id, answer.device.address);
        break;
    case CA_LED_CTRL:
        light(now, command->value);
        if (IS_V1) answer = *command;
        break;
    case CA_SET_ALL:
        answer.ack.state = set_all(command, now);
        at = now + SCAN_START;
        break;
    case CA_SET_FLTR_ID:
        d.id = command->value;
        break;
    case CA_SET_FLTR_TAGS:
    case CA_SET_CODED_PHY:
    case CA_SET_SCAN_1MB_PHY:
    case CA_SET_SCAN_2MB_PHY:
    case CA_SET_CH_37:
    case CA_SET_CH_38:
    case CA_SET_CH_39:
        answer.ack.state = set_flag(flag_of[command->command], command->state);
        break;
    default: /* what only a device sends */
        answer.ack.state = true;
    }
    reply(&answer, at);
}

/* --- what comes in */

static bool decode(const uint8_t *bytes, size_t size, struct ca_message *message)
{
    if (ca_decode(bytes, size, ROOM, false, message) != CA_OK) return false;
    bool is_new = message->command == CA_ADV_RPRT2 ||
                  (message->command == CA_SET_ALL && bytes[1] == 7);
    return !(IS_V1 && is_new);
}

static void parse_chunk(uint64_t now)
{
    static struct ca_message message;
    size_t size = d.chunk_size;
    d.chunk_size = 0;
    bool good = decode(d.chunk, size, &message);
    if (!good) {
        size_t room = RING_SIZE - d.ring_size;
        if (size > room) size = room;
        memcpy(d.ring + d.ring_size, d.chunk, size);
        d.ring_size += size;
        if (d.ring_size > DECODE_SIZE) hal_reset(); /* the original's stack is overwritten */
        good = decode(d.ring, d.ring_size, &message);
    }
    if (!good) return;
    d.ring_size = 0;
    if (IS_V1) feed_watchdog(now);
    execute(&message, now);
}

void device_receive(uint8_t byte)
{
    d.chunk[d.chunk_size++] = byte;
    if (byte == CA_ETX || d.chunk_size == CHUNK_SIZE) parse_chunk(hal_now());
}

/* --- life */

void device_boot(void)
{
    uint64_t now = hal_now();
    uint8_t frame[CA_MAX_FRAME];
    struct ca_message get_all = {.command = CA_GET_ALL};
    memset(&d, 0, sizeof d);
    d.id = 0x0499;
    d.flags = CA_FILTER;
    d.waits_for_settings = true;
    d.led_off_at = NEVER;
    light(now, BOOT_LED_MS);
    feed_watchdog(now);
    generator_set(GENERATOR, now);
    tx_send(frame, ca_encode(&get_all, frame), false);
}

uint64_t device_run(void)
{
    uint64_t now = hal_now();
    if (d.watchdog_at <= now) hal_reset();
    if (d.led_off_at <= now) light(now, 0);
    if (d.scan.on && d.scan.end <= now) start_scan(now);
    send_replies(now);
    while (generator_deadline() <= now) report(now);

    uint64_t due = d.watchdog_at;
    if (d.led_off_at < due) due = d.led_off_at;
    if (d.scan.on && d.scan.end < due) due = d.scan.end;
    if (d.reply_count && !d.reply_waits && d.reply_at < due) due = d.reply_at;
    if (generator_deadline() < due) due = generator_deadline();
    return due;
}
