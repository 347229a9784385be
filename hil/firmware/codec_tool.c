/* The codec on a command line, for the vectors: a question per line, an answer per line.
 *
 *     decode MAX_ADV HEX         NAME=value … in the order of the fields, or the first failed check
 *     encode CMD VALUE …         the frame, in hex
 *     scan HEX                   the frames found in a stream, in hex, separated by blanks
 *
 * All numbers are decimal, all bytes hex without blanks ("-" where there are none).
 */
#include "codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const reasons[] = {
    "ok",          "bad_stx", "truncated",    "bad_etx",       "bad_crc",
    "unknown_cmd", "bad_len", "adv_too_long", "bad_delimiter",
};

/* Exactly as large as it must be, so that a sanitizer sees each byte too many that is read. */
static uint8_t *from_hex(const char *text, size_t *count)
{
    *count = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;
    uint8_t *bytes = malloc(*count ? *count : 1);
    for (size_t i = 0; i < *count; i++) {
        unsigned value = 0;
        if (sscanf(text + 2 * i, "%2x", &value) != 1) exit(2);
        bytes[i] = (uint8_t)value;
    }
    return bytes;
}

static void print_hex(const uint8_t *bytes, size_t count)
{
    if (!count) printf("-");
    for (size_t i = 0; i < count; i++) printf("%02x", bytes[i]);
}

static void print_message(const struct ca_message *m)
{
    printf("cmd=%u", m->command);
    switch (m->command) {
    case CA_GET_DEVICE_ID:
    case CA_GET_ALL:
        break;
    case CA_SET_FLTR_ID:
        printf(" id=%u", m->value);
        break;
    case CA_LED_CTRL:
        printf(" time_interval_ms=%u", m->value);
        break;
    case CA_SET_ALL:
        printf(" fltr_id=%u fltr_tags=%d use_coded_phy=%d use_1m_phy=%d use_2m_phy=%d ch_37=%d "
               "ch_38=%d ch_39=%d max_adv_len=%u",
               m->all.id, !!(m->all.flags & CA_FILTER), !!(m->all.flags & CA_CODED),
               !!(m->all.flags & CA_1M), !!(m->all.flags & CA_2M), !!(m->all.flags & CA_CH_37),
               !!(m->all.flags & CA_CH_38), !!(m->all.flags & CA_CH_39), m->all.max_adv_len);
        break;
    case CA_ACK:
        printf(" acked_cmd=%u state=%d", m->ack.command, m->ack.state);
        break;
    case CA_DEVICE_ID:
        printf(" id=");
        print_hex(m->device.id, 8);
        printf(" addr=");
        print_hex(m->device.address, 6);
        break;
    case CA_ADV_RPRT:
    case CA_ADV_RPRT2:
        printf(" mac=");
        print_hex(m->report.mac, 6);
        printf(" adv=");
        print_hex(m->report.adv, m->report.adv_len);
        printf(" rssi=%d", m->report.rssi);
        if (m->command == CA_ADV_RPRT2)
            printf(" primary_phy=%u secondary_phy=%u ch_index=%u is_coded_phy=%d tx_power=%d",
                   m->report.primary_phy, m->report.secondary_phy, m->report.channel,
                   m->report.is_coded, m->report.tx_power);
        break;
    default:
        printf(" state=%d", m->state);
    }
}

static void take(uint8_t *bytes, size_t size, const char *text)
{
    size_t count;
    uint8_t *given = from_hex(text, &count);
    if (count != size) exit(2);
    memcpy(bytes, given, size);
    free(given);
}

/* The values come in the order in which print_message tells them. */
static struct ca_message message_of(int argc, char **argv)
{
    struct ca_message m = {.command = (uint8_t)atoi(argv[0])};
    int given = argc - 1;
    char **value = argv + 1;
    switch (m.command) {
    case CA_GET_DEVICE_ID:
    case CA_GET_ALL:
        break;
    case CA_SET_FLTR_ID:
    case CA_LED_CTRL:
        m.value = (uint16_t)atoi(value[0]);
        break;
    case CA_SET_ALL:
        if (given != 9) exit(2);
        m.all.id = (uint16_t)atoi(value[0]);
        for (int bit = 0; bit < 7; bit++) m.all.flags |= (uint8_t)(atoi(value[1 + bit]) << bit);
        m.all.max_adv_len = (uint8_t)atoi(value[8]);
        break;
    case CA_ACK:
        m.ack.command = (uint8_t)atoi(value[0]);
        m.ack.state = atoi(value[1]);
        break;
    case CA_DEVICE_ID:
        take(m.device.id, 8, value[0]);
        take(m.device.address, 6, value[1]);
        break;
    case CA_ADV_RPRT:
    case CA_ADV_RPRT2: {
        size_t count;
        uint8_t *adv = from_hex(value[1], &count);
        take(m.report.mac, 6, value[0]);
        memcpy(m.report.adv, adv, count);
        m.report.adv_len = (uint8_t)count;
        free(adv);
        m.report.rssi = (int8_t)atoi(value[2]);
        if (m.command == CA_ADV_RPRT2) {
            if (given != 8) exit(2);
            m.report.primary_phy = (uint8_t)atoi(value[3]);
            m.report.secondary_phy = (uint8_t)atoi(value[4]);
            m.report.channel = (uint8_t)atoi(value[5]);
            m.report.is_coded = atoi(value[6]);
            m.report.tx_power = (int8_t)atoi(value[7]);
        }
        break;
    }
    default:
        m.state = atoi(value[0]);
    }
    return m;
}

/* A host's way to find frames: any failure costs one byte, the rest is looked at again. */
static void scan(const uint8_t *bytes, size_t count)
{
    struct ca_message message;
    bool first = true;
    for (size_t at = 0; at < count;) {
        /* A copy, so that a sanitizer sees what is read behind the end. */
        uint8_t *rest = malloc(count - at);
        memcpy(rest, bytes + at, count - at);
        if (ca_decode(rest, count - at, CA_MAX_ADV, true, &message) == CA_OK) {
            size_t size = (size_t)rest[1] + 6;
            if (!first) printf(" ");
            print_hex(rest, size);
            first = false;
            at += size;
        } else {
            at++;
        }
        free(rest);
    }
}

int main(void)
{
    static char line[16384];
    while (fgets(line, sizeof line, stdin)) {
        char *words[32];
        int count = 0;
        for (char *w = strtok(line, " \n"); w && count < 32; w = strtok(NULL, " \n"))
            words[count++] = w;
        if (count < 2) return 2;
        if (strcmp(words[0], "decode") == 0 && count == 3) {
            size_t size;
            struct ca_message message;
            uint8_t *bytes = from_hex(words[2], &size);
            enum ca_result result =
                ca_decode(bytes, size, (uint8_t)atoi(words[1]), true, &message);
            if (result == CA_OK) print_message(&message);
            else printf("%s", reasons[result]);
            free(bytes);
        } else if (strcmp(words[0], "encode") == 0) {
            uint8_t frame[CA_MAX_FRAME];
            struct ca_message message = message_of(count - 1, words + 1);
            print_hex(frame, ca_encode(&message, frame));
        } else if (strcmp(words[0], "scan") == 0) {
            size_t size;
            uint8_t *bytes = from_hex(words[1], &size);
            scan(bytes, size);
            free(bytes);
        } else {
            return 2;
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
