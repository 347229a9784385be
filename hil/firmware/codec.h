/* CA-UART: frames and their fields. Pure: no hardware, no memory of its own.
 *
 * Written from the description of the protocol, and on purpose not from the Python codec of this
 * project nor with a look at it: the two judge each other.
 */
#ifndef CODEC_H
#define CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CA_STX 0xCA
#define CA_ETX 0x0A
#define CA_DELIMITER 0x2C
#define CA_MAX_FRAME 261 /* LEN 255 and six bytes around it */
#define CA_MAX_ADV 235   /* what fits a frame whose length is counted in one byte */

enum ca_command {
    CA_SET_FLTR_TAGS = 0x05,
    CA_SET_FLTR_ID = 0x06,
    CA_SET_CODED_PHY = 0x07,
    CA_SET_SCAN_1MB_PHY = 0x08,
    CA_SET_SCAN_2MB_PHY = 0x09,
    CA_SET_CH_37 = 0x0A,
    CA_SET_CH_38 = 0x0B,
    CA_SET_CH_39 = 0x0C,
    CA_LED_CTRL = 0x0E,
    CA_SET_ALL = 0x0F,
    CA_ADV_RPRT = 0x10,
    CA_DEVICE_ID = 0x11,
    CA_ADV_RPRT2 = 0x12,
    CA_GET_DEVICE_ID = 0x18,
    CA_GET_ALL = 0x19,
    CA_ACK = 0x20,
};

/* In the order in which the checks are made; the first that fails is told. */
enum ca_result {
    CA_OK,
    CA_BAD_STX,
    CA_TRUNCATED,
    CA_BAD_ETX,
    CA_BAD_CRC,
    CA_UNKNOWN_CMD,
    CA_BAD_LEN,
    CA_ADV_TOO_LONG,
    CA_BAD_DELIMITER,
};

/* Flags of SET_ALL. */
enum {
    CA_FILTER = 1 << 0,
    CA_CODED = 1 << 1,
    CA_1M = 1 << 2,
    CA_2M = 1 << 3,
    CA_CH_37 = 1 << 4,
    CA_CH_38 = 1 << 5,
    CA_CH_39 = 1 << 6,
};
#define CA_CHANNELS (CA_CH_37 | CA_CH_38 | CA_CH_39)

struct ca_report {
    uint8_t mac[6];
    uint8_t adv[CA_MAX_ADV];
    uint8_t adv_len;
    int8_t rssi;
    uint8_t primary_phy;
    uint8_t secondary_phy;
    uint8_t channel;
    bool is_coded;
    int8_t tx_power; /* dBm, -63..63; -64: not available */
};

struct ca_message {
    uint8_t command;
    union {
        bool state;           /* SET_FLTR_TAGS, the PHYs, the channels */
        uint16_t value;       /* SET_FLTR_ID, LED_CTRL */
        struct {
            uint16_t id;
            uint8_t flags;
            uint8_t max_adv_len;
        } all;
        struct {
            uint8_t id[8];
            uint8_t address[6];
        } device;
        struct {
            uint8_t command;
            bool state;
        } ack;
        struct ca_report report;
    };
};

uint16_t ca_crc(const uint8_t *bytes, size_t count);

/* One frame that begins with the first byte; what stands behind its end is ignored.
 * strict: the delimiters of all commands are looked at, not only those of reports. */
enum ca_result ca_decode(const uint8_t *bytes, size_t count, uint8_t max_adv, bool strict,
                         struct ca_message *message);

/* The frame of a message into `frame` (CA_MAX_FRAME bytes); its size, or 0 if it has none. */
size_t ca_encode(const struct ca_message *message, uint8_t *frame);

/* Company identifier of the first manufacturer specific structure; 0 if there is none. */
uint16_t ca_company(const uint8_t *adv, size_t count);

#endif
