/* What nrf.c offers to start.c, besides hal.h. */
#ifndef NRF_H
#define NRF_H

#include <stdbool.h>
#include <stdint.h>

#define IRQ_UART 2
#define IRQ_TIMER 8

void nrf_set_up(void);
void nrf_on_uart(void);
void nrf_on_timer(void);
bool nrf_receive(uint8_t *byte);                     /* false: there is none */
void nrf_sleep(uint64_t until, unsigned times_sent); /* until an interrupt, or `until` */

#endif
