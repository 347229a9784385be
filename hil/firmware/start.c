/* From the reset of an nRF51 or nRF52 to the main loop: vectors, memory, the loop itself. */
#include "hal.h"
#include "nrf.h"
#include "tx.h"

extern uint32_t stack_top[], data_load[], data_begin[], data_end[], bss_begin[], bss_end[];

_Noreturn static void on_reset(void)
{
    const uint32_t *from = data_load;
    for (uint32_t *to = data_begin; to < data_end;) *to++ = *from++;
    for (uint32_t *at = bss_begin; at < bss_end;) *at++ = 0;
    nrf_set_up();
    hal_unlock();
    device_boot();
    for (;;) {
        uint8_t byte;
        while (nrf_receive(&byte)) device_receive(byte);
        unsigned times_sent = tx_times_sent();
        nrf_sleep(device_run(), times_sent);
    }
}

typedef void (*handler)(void);

__attribute__((section(".vectors"), used)) static const handler vectors[16 + 32] = {
    [0] = (handler)(void *)stack_top,
    [1] = on_reset,
    [2 ... 15 + IRQ_UART] = hal_reset, /* a fault, or an interrupt that nobody has asked for */
    [16 + IRQ_UART] = nrf_on_uart,
    [17 + IRQ_UART ... 15 + IRQ_TIMER] = hal_reset,
    [16 + IRQ_TIMER] = nrf_on_timer,
    [17 + IRQ_TIMER ... 47] = hal_reset,
};
