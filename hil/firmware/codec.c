#include "codec.h"

#include "memory.h"

#define OVERHEAD 6 /* STX, LEN, CMD, two of CRC, ETX */

/* CRC-16/CCITT-FALSE, half a byte at a time: the sixteen multiples of 0x1021. */
static const uint16_t crc_of_nibble[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50A5, 0x60C6, 0x70E7,
    0x8108, 0x9129, 0xA14A, 0xB16B, 0xC18C, 0xD1AD, 0xE1CE, 0xF1EF,
};

uint16_t ca_crc(const uint8_t *bytes, size_t count)
{
    uint32_t crc = 0xFFFF;
    for (size_t i = 0; i < count; i++) {
        crc = (crc << 4 ^ crc_of_nibble[crc >> 12 ^ bytes[i] >> 4]) & 0xFFFF;
        crc = (crc << 4 ^ crc_of_nibble[crc >> 12 ^ (bytes[i] & 15)]) & 0xFFFF;
    }
    return (uint16_t)crc;
}

static bool is_known(uint8_t command)
{
    return (command >= CA_SET_FLTR_TAGS && command <= CA_SET_CH_39) ||
           (command >= CA_LED_CTRL && command <= CA_ADV_RPRT2) || command == CA_GET_DEVICE_ID ||
           command == CA_GET_ALL || command == CA_ACK;
}

/* Bytes of a report's payload beside the advertising data. */
static size_t report_overhead(uint8_t command)
{
    return command == CA_ADV_RPRT ? 10 : 14;
}

static bool length_is_possible(uint8_t command, size_t length)
{
    switch (command) {
    case CA_GET_DEVICE_ID:
    case CA_GET_ALL:
        return length == 0;
    case CA_SET_FLTR_ID:
    case CA_LED_CTRL:
        return length == 3;
    case CA_SET_ALL:
        return length == 5 || length == 7;
    case CA_ACK:
        return length == 4;
    case CA_DEVICE_ID:
        return length == 16;
    case CA_ADV_RPRT:
    case CA_ADV_RPRT2:
        return length >= report_overhead(command);
    default:
        return length == 2; /* a state */
    }
}

static uint16_t little_endian(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

/* Takes `size` bytes and the delimiter behind them; notes when that is something else. */
struct reader {
    const uint8_t *next;
    bool delimited;
};

static const uint8_t *field(struct reader *reader, size_t size)
{
    const uint8_t *begin = reader->next;
    reader->delimited = reader->delimited && begin[size] == CA_DELIMITER;
    reader->next = begin + size + 1;
    return begin;
}

static void read_report(struct reader *reader, uint8_t command, size_t adv_len,
                        struct ca_report *report)
{
    memcpy(report->mac, field(reader, 6), 6);
    memcpy(report->adv, field(reader, adv_len), adv_len);
    report->adv_len = (uint8_t)adv_len;
    report->rssi = (int8_t)*field(reader, 1);
    report->primary_phy = report->secondary_phy = 15;
    report->channel = 255;
    report->is_coded = false;
    report->tx_power = -64;
    if (command == CA_ADV_RPRT2) {
        const uint8_t *radio = field(reader, 3);
        int tx = radio[2] & 0x7F;
        report->primary_phy = radio[0] >> 4;
        report->secondary_phy = radio[0] & 15;
        report->channel = radio[1];
        report->is_coded = radio[2] >> 7;
        report->tx_power = (int8_t)(tx < 64 ? tx : tx - 128);
    }
}

enum ca_result ca_decode(const uint8_t *bytes, size_t count, uint8_t max_adv, bool strict,
                         struct ca_message *message)
{
    if (count > 0 && bytes[0] != CA_STX) return CA_BAD_STX;
    if (count < 3 || count < (size_t)bytes[1] + OVERHEAD) return CA_TRUNCATED;

    size_t length = bytes[1];
    uint8_t command = bytes[2];
    if (bytes[length + 5] != CA_ETX) return CA_BAD_ETX;
    if (little_endian(bytes + 3 + length) != ca_crc(bytes + 1, length + 2)) return CA_BAD_CRC;
    if (!is_known(command)) return CA_UNKNOWN_CMD;
    if (!length_is_possible(command, length)) return CA_BAD_LEN;

    bool is_report = command == CA_ADV_RPRT || command == CA_ADV_RPRT2;
    size_t adv_len = is_report ? length - report_overhead(command) : 0;
    if (adv_len > max_adv || adv_len > CA_MAX_ADV) return CA_ADV_TOO_LONG;

    struct reader reader = {bytes + 3, true};
    message->command = command;
    switch (command) {
    case CA_GET_DEVICE_ID:
    case CA_GET_ALL:
        break;
    case CA_SET_FLTR_ID:
    case CA_LED_CTRL:
        message->value = little_endian(field(&reader, 2));
        break;
    case CA_SET_ALL:
        message->all.id = little_endian(field(&reader, 2));
        message->all.flags = *field(&reader, 1) & 0x7F;
        message->all.max_adv_len = length == 7 ? *field(&reader, 1) : 0;
        break;
    case CA_ACK:
        message->ack.command = *field(&reader, 1);
        message->ack.state = *field(&reader, 1) & 1;
        break;
    case CA_DEVICE_ID:
        memcpy(message->device.id, field(&reader, 8), 8);
        memcpy(message->device.address, field(&reader, 6), 6);
        break;
    case CA_ADV_RPRT:
    case CA_ADV_RPRT2:
        read_report(&reader, command, adv_len, &message->report);
        break;
    default:
        message->state = *field(&reader, 1) & 1;
    }
    return reader.delimited || !(strict || is_report) ? CA_OK : CA_BAD_DELIMITER;
}

/* Appends to a frame; each field gets its delimiter. */
struct writer {
    uint8_t *next;
};

static void put(struct writer *writer, const void *bytes, size_t count)
{
    memcpy(writer->next, bytes, count);
    writer->next += count;
    *writer->next++ = CA_DELIMITER;
}

static void put_u8(struct writer *writer, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    put(writer, &byte, 1);
}

static void put_u16(struct writer *writer, unsigned value)
{
    uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    put(writer, bytes, 2);
}

static void put_report(struct writer *writer, uint8_t command, const struct ca_report *report)
{
    put(writer, report->mac, 6);
    put(writer, report->adv, report->adv_len);
    put_u8(writer, (uint8_t)report->rssi);
    if (command == CA_ADV_RPRT2) {
        uint8_t radio[3] = {
            (uint8_t)(report->primary_phy << 4 | (report->secondary_phy & 15)),
            report->channel,
            (uint8_t)((report->is_coded ? 0x80 : 0) | (report->tx_power & 0x7F)),
        };
        put(writer, radio, 3);
    }
}

size_t ca_encode(const struct ca_message *message, uint8_t *frame)
{
    struct writer writer = {frame + 3};
    switch (message->command) {
    case CA_GET_DEVICE_ID:
    case CA_GET_ALL:
        break;
    case CA_SET_FLTR_ID:
    case CA_LED_CTRL:
        put_u16(&writer, message->value);
        break;
    case CA_SET_ALL:
        put_u16(&writer, message->all.id);
        put_u8(&writer, message->all.flags);
        if (message->all.max_adv_len) put_u8(&writer, message->all.max_adv_len);
        break;
    case CA_ACK:
        put_u8(&writer, message->ack.command);
        put_u8(&writer, message->ack.state);
        break;
    case CA_DEVICE_ID:
        put(&writer, message->device.id, 8);
        put(&writer, message->device.address, 6);
        break;
    case CA_ADV_RPRT:
    case CA_ADV_RPRT2:
        if (message->report.adv_len > CA_MAX_ADV) return 0;
        put_report(&writer, message->command, &message->report);
        break;
    default:
        if (!is_known(message->command)) return 0;
        put_u8(&writer, message->state);
    }
    size_t length = (size_t)(writer.next - frame) - 3;
    frame[0] = CA_STX;
    frame[1] = (uint8_t)length;
    frame[2] = message->command;
    /* A CRC of zero is written like any other; the official encoder leaves it out: see tx.c. */
    uint16_t crc = ca_crc(frame + 1, length + 2);
    writer.next[0] = (uint8_t)crc;
    writer.next[1] = (uint8_t)(crc >> 8);
    writer.next[2] = CA_ETX;
    return length + OVERHEAD;
}

uint16_t ca_company(const uint8_t *adv, size_t count)
{
    size_t at = 0;
    while (at + 1 < count && adv[at] != 0) {
        if (adv[at + 1] == 0xFF) {
            uint16_t low = at + 2 < count ? adv[at + 2] : 0;
            uint16_t high = at + 3 < count ? adv[at + 3] : 0;
            return (uint16_t)(low | high << 8);
        }
        at += 1 + (size_t)adv[at];
    }
    return 0;
}
