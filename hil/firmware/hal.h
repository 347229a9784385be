/* What the device needs of the hardware, and what it offers to it. */
#ifndef HAL_H
#define HAL_H

#include <stdbool.h>
#include <stdint.h>

/* --- by the hardware */

uint64_t hal_now(void); /* microseconds since the reset */
void hal_lock(void);    /* no interrupts until hal_unlock; not nested */
void hal_unlock(void);
void hal_transmit(void); /* there are bytes to be fetched with tx_next */
void hal_led(bool on);
void hal_identity(uint8_t id[8], uint8_t address[6]);
_Noreturn void hal_reset(void);

/* --- by the device, called in the main loop */

void device_boot(void);
void device_receive(uint8_t byte);
uint64_t device_run(void); /* does what is due; returns when something will be due next */

/* --- by the transmitter, called by the driver (in an interrupt, or locked) */

bool tx_next(uint8_t *byte); /* false: there is nothing to send */
void tx_byte_sent(void);
unsigned tx_ahead(void); /* how many bytes tx_next has at once, at least */

#endif
