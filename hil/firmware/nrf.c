/* Nordic's nRF51 and nRF52 without a library: UART0, TIMER0, one LED. The same registers on all.
 *
 * -DBOARD_MICROBIT (also what qemu emulates), -DBOARD_PCA10040, -DBOARD_PCA10056.
 * -DPACED=1: the UART takes no time, as in qemu, so the timer stands in for the speed of the line.
 *
 * There is no hardware watchdog in it: TIMER0 and a reset do the same, in qemu as well.
 */
#include "hal.h"
#include "memory.h"
#include "nrf.h"
#include "pace.h"
#include "tx.h"

#if defined BOARD_MICROBIT
#define PIN_TX 24
#define PIN_RX 25
#define PIN_LED 13 /* row 1 of the matrix */
#define PIN_LED_COLUMN 4 /* driven to 0 V, which it is set to after a reset */
#define LED_ON_IS_HIGH 1
#elif defined BOARD_PCA10040 /* nRF52 DK: the debugger's serial port */
#define PIN_TX 6
#define PIN_RX 8
#define PIN_LED 17
#define LED_ON_IS_HIGH 0
#elif defined BOARD_PCA10056 /* nRF52840 DK: the debugger's serial port */
#define PIN_TX 6
#define PIN_RX 8
#define PIN_LED 13
#define LED_ON_IS_HIGH 0
#else
#error "name the board: -DBOARD_MICROBIT, -DBOARD_PCA10040 or -DBOARD_PCA10056"
#endif

#ifndef PACED
#define PACED 0
#endif

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define CLOCK_START_HFXO REGISTER(0x40000000)
#define CLOCK_STARTED REGISTER(0x40000100)

#define UART(offset) REGISTER(0x40002000 + (offset))
#define UART_START_RX UART(0x000)
#define UART_START_TX UART(0x008)
#define UART_RXDRDY UART(0x108)
#define UART_TXDRDY UART(0x11C)
#define UART_ERROR UART(0x124)
#define UART_INTENSET UART(0x304)
#define UART_ERRORSRC UART(0x480)
#define UART_ENABLE UART(0x500)
#define UART_PSELTXD UART(0x50C)
#define UART_PSELRXD UART(0x514)
#define UART_RXD UART(0x518)
#define UART_TXD UART(0x51C)
#define UART_BAUDRATE UART(0x524)
#define UART_CONFIG UART(0x56C)
#define INT_RXDRDY (1u << 2)
#define INT_TXDRDY (1u << 7)
#define INT_ERROR (1u << 9)

#define TIMER(offset) REGISTER(0x40008000 + (offset))
#define TIMER_START TIMER(0x000)
#define TIMER_CLEAR TIMER(0x00C)
#define TIMER_CAPTURE(n) TIMER(0x040 + 4 * (n))
#define TIMER_COMPARE(n) TIMER(0x140 + 4 * (n))
#define TIMER_INTENSET TIMER(0x304)
#define TIMER_BITMODE TIMER(0x508)
#define TIMER_PRESCALER TIMER(0x510)
#define TIMER_CC(n) TIMER(0x540 + 4 * (n))
#define INT_COMPARE(n) (1u << (16 + (n)))
enum { CC_WAKE, CC_PACE, CC_NOW };

#define GPIO_OUTSET REGISTER(0x50000508)
#define GPIO_OUTCLR REGISTER(0x5000050C)
#define GPIO_DIRSET REGISTER(0x50000518)
#define GPIO_DIRCLR REGISTER(0x5000051C)
#define GPIO_CONFIG(pin) REGISTER(0x50000700 + 4 * (pin))

#define FICR_DEVICEID(n) REGISTER(0x10000060 + 4 * (n))
#define FICR_DEVICEADDR(n) REGISTER(0x100000A4 + 4 * (n))

#define NVIC_ENABLE REGISTER(0xE000E100)
#define AIRCR REGISTER(0xE000ED0C)
#define AIRCR_RESET 0x05FA0004
#define APPROTECT_DISABLE REGISTER(0x40000558)
#define UICR_APPROTECT REGISTER(0x10001208)

#define LONGEST_SLEEP 1000000 /* microseconds; far less than after which the timer wraps */

/* --- time */

static uint32_t last_count, wraps;

static uint64_t now_locked(void)
{
    TIMER_CAPTURE(CC_NOW) = 1;
    uint32_t count = TIMER_CC(CC_NOW);
    if (count < last_count) wraps++;
    last_count = count;
    return (uint64_t)wraps << 32 | count;
}

void hal_lock(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
}

void hal_unlock(void)
{
    __asm__ volatile("cpsie i" ::: "memory");
}

uint64_t hal_now(void)
{
    hal_lock();
    uint64_t now = now_locked();
    hal_unlock();
    return now;
}

/* --- UART */

#define RX_SIZE 512

static volatile uint8_t rx[RX_SIZE];
static volatile unsigned rx_begin, rx_count;

static bool is_sending;
static uint64_t left_at; /* when the byte in the UART has left; with PACED */
static struct pace pace;

static void pump(void)
{
    bool was_idle = !is_sending;
    for (;;) {
        if (is_sending) {
            if (!UART_TXDRDY) {
                /* The emulator's other end is full: ask again. A chip tells by an interrupt. */
                if (PACED) TIMER_CC(CC_PACE) = (uint32_t)now_locked() + 1000;
                return;
            }
            if (PACED && now_locked() < left_at) {
                uint64_t look = pace_look(&pace, tx_ahead());
                TIMER_CC(CC_PACE) = (uint32_t)look;
                if (now_locked() < look) return; /* TXDRDY stays, so nothing is forgotten */
                continue;
            }
            UART_TXDRDY = 0;
            is_sending = false;
            tx_byte_sent();
        }
        uint8_t byte;
        if (!tx_next(&byte)) return;
        if (PACED) left_at = pace_byte(&pace, now_locked(), was_idle);
        was_idle = false;
        is_sending = true;
        UART_TXD = byte;
    }
}

void hal_transmit(void)
{
    hal_lock();
    if (!is_sending) pump();
    hal_unlock();
}

void nrf_on_uart(void)
{
    while (UART_RXDRDY) {
        UART_RXDRDY = 0;
        uint8_t byte = (uint8_t)UART_RXD;
        if (rx_count < RX_SIZE) rx[(rx_begin + rx_count++) % RX_SIZE] = byte;
    }
    if (UART_ERROR) {
        UART_ERROR = 0;
        UART_ERRORSRC = UART_ERRORSRC;
    }
    if (!PACED) pump(); /* else the timer does it */
}

void nrf_on_timer(void)
{
    TIMER_COMPARE(CC_WAKE) = 0;
    if (TIMER_COMPARE(CC_PACE)) {
        TIMER_COMPARE(CC_PACE) = 0;
        pump();
    }
}

bool nrf_receive(uint8_t *byte)
{
    hal_lock();
    bool any = rx_count > 0;
    if (any) {
        *byte = rx[rx_begin];
        rx_begin = (rx_begin + 1) % RX_SIZE;
        rx_count--;
    }
    hal_unlock();
    return any;
}

/* --- the rest */

void hal_led(bool on)
{
    if (on == LED_ON_IS_HIGH) GPIO_OUTSET = 1u << PIN_LED;
    else GPIO_OUTCLR = 1u << PIN_LED;
}

void hal_identity(uint8_t id[8], uint8_t address[6])
{
    uint32_t low = FICR_DEVICEADDR(0), high = FICR_DEVICEADDR(1), chip = FICR_DEVICEID(1);
    memcpy(id, "RHIL", 4); /* tells the rig that this is the test firmware */
    for (int i = 0; i < 4; i++) id[4 + i] = (uint8_t)(chip >> (24 - 8 * i));
    if (low == 0xFFFFFFFF) { /* never written, as in an emulator */
        low = 0x494C0000 | (chip & 0xFFFF);
        high = 0xC048;
    }
    address[0] = (uint8_t)(high >> 8 | 0xC0);
    address[1] = (uint8_t)high;
    for (int i = 0; i < 4; i++) address[2 + i] = (uint8_t)(low >> (24 - 8 * i));
}

void hal_reset(void)
{
    AIRCR = AIRCR_RESET;
    for (;;) continue;
}

/* Until an interrupt, at most until `until`; not at all if a frame has left since `times_sent` was
 * read. What happens before WFI keeps it from sleeping: with interrupts locked it still wakes up. */
void nrf_sleep(uint64_t until, unsigned times_sent)
{
    hal_lock();
    uint64_t now = now_locked();
    if (until > now + LONGEST_SLEEP) until = now + LONGEST_SLEEP;
    TIMER_CC(CC_WAKE) = (uint32_t)until;
    bool nothing_new = !rx_count && tx_times_sent() == times_sent;
    if (nothing_new && now_locked() + 2 < until) __asm__ volatile("dsb\n wfi" ::: "memory");
    hal_unlock();
}

void nrf_set_up(void)
{
#ifndef BOARD_MICROBIT
    /* Since 2021 the debugger's port is shut at each reset until the program agrees with what
     * stands in UICR. Chips from before have nothing at this address. */
    APPROTECT_DISABLE = UICR_APPROTECT;
#endif
    CLOCK_START_HFXO = 1; /* the internal oscillator is too far off for a UART */
    for (unsigned i = 0; i < 100000 && !CLOCK_STARTED; i++) continue;

    TIMER_BITMODE = 3;   /* 32 bits */
    TIMER_PRESCALER = 4; /* 1 MHz */
    TIMER_CLEAR = 1;
    TIMER_START = 1;
    TIMER_INTENSET = INT_COMPARE(CC_WAKE) | INT_COMPARE(CC_PACE);

    GPIO_OUTSET = 1u << PIN_TX; /* idle is high */
    GPIO_DIRSET = 1u << PIN_TX | 1u << PIN_LED;
#ifdef PIN_LED_COLUMN
    GPIO_DIRSET = 1u << PIN_LED_COLUMN;
#endif
    GPIO_CONFIG(PIN_RX) = 3u << 2; /* input with pull-up: a line that nobody drives is idle */

    UART_PSELTXD = PIN_TX;
    UART_PSELRXD = PIN_RX;
    UART_CONFIG = 0; /* no parity, no flow control */
    UART_BAUDRATE = (uint32_t)(((uint64_t)BAUD << 32) / 16000000 + 0x800) & 0xFFFFF000;
    UART_ENABLE = 4;
    UART_TXDRDY = UART_RXDRDY = 0;
    UART_INTENSET = INT_RXDRDY | INT_ERROR | (PACED ? 0 : INT_TXDRDY);
    UART_START_RX = 1;
    UART_START_TX = 1;
    NVIC_ENABLE = 1u << IRQ_UART | 1u << IRQ_TIMER;
}
