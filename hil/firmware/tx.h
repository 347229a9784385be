/* The way to the wire. Two of them, chosen when building:
 *
 * ideal (the default): frames wait for their turn, replies before reports.
 * TRANSMIT_FAITHFUL: as the official driver does it, without a queue. It counts the bytes that
 * are left of a frame; what comes before the count is zero is thrown away, and the count then
 * runs below zero, which costs the next frame as well.
 */
#ifndef TX_H
#define TX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool tx_send(const uint8_t *frame, size_t size, bool is_reply); /* false: it is lost */
bool tx_busy(void);           /* the driver has not said "sent" of the last frame */
unsigned tx_times_sent(void); /* how often it has said so; it wraps */
void tx_reset(void);          /* as after power on */

#endif
