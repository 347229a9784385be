/* The device on a PC: its UART is standard input and output (a socket or a terminal in raw mode).
 *
 * For sanitizers, and for those without an emulator. SIGUSR1 resets it. It ends when its input
 * does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "hal.h"
#include "memory.h"
#include "pace.h"
#include "tx.h"

static sigjmp_buf at_reset;
static volatile sig_atomic_t reset_wanted;
static uint64_t started;

static bool is_sending;
static uint64_t left_at;
static struct pace pace;

static uint64_t clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t hal_now(void)
{
    return clock_now() - started;
}

void hal_lock(void) {}

void hal_unlock(void) {}

void hal_led(bool on)
{
    (void)on;
}

void hal_identity(uint8_t id[8], uint8_t address[6])
{
    memcpy(id, "RHIL\0\0\0\1", 8);
    memcpy(address, "\xC0HIL\1\1", 6);
}

void hal_reset(void)
{
    siglongjmp(at_reset, 1);
}

/* Bytes whose time has come; a reader that is not there, or too slow, loses them as on a line. */
static void pump(void)
{
    uint8_t out[512];
    size_t count = 0;
    bool was_idle = !is_sending;
    for (;;) {
        if (is_sending) {
            if (hal_now() < left_at) break;
            is_sending = false;
            tx_byte_sent();
        }
        if (count == sizeof out || !tx_next(out + count)) break;
        left_at = pace_byte(&pace, hal_now(), was_idle);
        was_idle = false;
        is_sending = true;
        count++;
    }
    for (size_t written = 0; written < count;) {
        ssize_t some = write(STDOUT_FILENO, out + written, count - written);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) break;
        written += (size_t)some;
    }
}

void hal_transmit(void)
{
    pump();
}

static void wait_until(uint64_t until)
{
    if (is_sending && pace_look(&pace, tx_ahead()) < until) until = pace_look(&pace, tx_ahead());
    uint64_t now = hal_now();
    uint64_t left = until > now ? until - now : 0;
    if (left > 1000000) left = 1000000;
    struct timespec pause = {(time_t)(left / 1000000), (long)(left % 1000000) * 1000};
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    if (ppoll(&input, 1, &pause, NULL) <= 0) return;
    uint8_t bytes[512];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) exit(0);
    for (ssize_t i = 0; i < count; i++) device_receive(bytes[i]);
}

static void on_signal(int number)
{
    (void)number;
    reset_wanted = 1;
}

int main(void)
{
    signal(SIGUSR1, on_signal);
    signal(SIGPIPE, SIG_IGN);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK | fcntl(STDIN_FILENO, F_GETFL));
    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK | fcntl(STDOUT_FILENO, F_GETFL));
    sigsetjmp(at_reset, 1);
    started = clock_now();
    is_sending = false;
    tx_reset();
    device_boot();
    for (;;) {
        if (reset_wanted) {
            reset_wanted = 0;
            hal_reset();
        }
        unsigned times_sent = tx_times_sent();
        uint64_t due = device_run();
        pump();
        if (tx_times_sent() == times_sent) wait_until(due);
    }
}
