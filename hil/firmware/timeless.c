/* The device in a time of its own: for the comparison with the simulator, which can do that, too.
 * A question per line; the time is that of the device, in microseconds since the power came on.
 *
 *     receive HEX      bytes from the host, now
 *     until TIME       the bytes that leave the line until then, in hex; then on or off, the LED
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hal.h"
#include "pace.h"
#include "tx.h"

static jmp_buf at_reset;
static uint64_t now, booted_at;
static bool is_sending, led;
static uint8_t byte;
static uint64_t left_at;
static struct pace pace;

uint64_t hal_now(void)
{
    return now - booted_at;
}

void hal_lock(void) {}

void hal_unlock(void) {}

void hal_led(bool on)
{
    led = on;
}

void hal_identity(uint8_t id[8], uint8_t address[6])
{
    memcpy(id, "RHIL\0\0\0\0", 8);
    memcpy(address, "\xC0HIL\1\0", 6);
}

void hal_reset(void)
{
    longjmp(at_reset, 1);
}

static void next_byte(bool was_idle)
{
    is_sending = tx_next(&byte);
    if (is_sending) left_at = pace_byte(&pace, now, was_idle);
}

void hal_transmit(void)
{
    if (!is_sending) next_byte(true);
}

static void boot(void)
{
    booted_at = now;
    is_sending = false;
    tx_reset();
    device_boot();
}

static void run_until(uint64_t end)
{
    if (setjmp(at_reset)) boot();
    for (;;) {
        unsigned times_sent = tx_times_sent();
        uint64_t due = device_run();
        if (tx_times_sent() != times_sent) continue; /* a reply may have waited for that */
        due = due < UINT64_MAX - booted_at ? due + booted_at : UINT64_MAX;
        if (is_sending && left_at < due) due = left_at;
        if (due > end) break;
        if (due > now) now = due;
        if (!is_sending || left_at > now) continue;
        printf("%02x", byte);
        tx_byte_sent();
        next_byte(false);
    }
    now = end;
}

static void receive(const char *hex)
{
    static const char *volatile next;
    for (next = hex; next[0] && next[1]; next += 2) {
        unsigned value = 0;
        if (sscanf(next, "%2x", &value) != 1) exit(2);
        if (setjmp(at_reset)) {
            boot();
            continue;
        }
        device_receive((uint8_t)value);
    }
}

int main(void)
{
    static char line[8192];
    boot();
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "receive ", 8) == 0) {
            receive(line + 8);
            printf("\n");
        } else if (strncmp(line, "until ", 6) == 0) {
            run_until(strtoull(line + 6, NULL, 10));
            printf(" %s\n", led ? "on" : "off");
        } else {
            return 2;
        }
        fflush(stdout);
    }
    return 0;
}
