#include "tx.h"

#include "hal.h"

static volatile bool sent = true;
static volatile unsigned times_sent;

bool tx_busy(void)
{
    return !sent;
}

unsigned tx_times_sent(void)
{
    return times_sent;
}

static void say_sent(void)
{
    sent = true;
    times_sent++;
}

#ifdef TRANSMIT_FAITHFUL

#define FIFO_SIZE 212

static uint8_t fifo[FIFO_SIZE];
static volatile unsigned fifo_begin, fifo_count;
static volatile uint16_t left;

bool tx_send(const uint8_t *frame, size_t size, bool is_reply)
{
    (void)is_reply;
    /* A CRC of zero is left out by the official encoder. */
    size_t absent = frame[size - 3] || frame[size - 2] ? 0 : 2;
    hal_lock();
    bool accepted = left == 0;
    if (accepted) {
        /* For a moment after a loss there may still be bytes here: as many as there is room. */
        for (size_t i = 0; i < size && fifo_count < FIFO_SIZE; i++) {
            if (absent && (i == size - 3 || i == size - 2)) continue;
            fifo[(fifo_begin + fifo_count++) % FIFO_SIZE] = frame[i];
        }
        left = (uint16_t)(size - absent);
        sent = false;
    } else {
        left = 0;
        say_sent(); /* though nothing was */
    }
    hal_unlock();
    if (accepted) hal_transmit();
    return accepted;
}

bool tx_next(uint8_t *byte)
{
    if (!fifo_count) return false;
    *byte = fifo[fifo_begin];
    fifo_begin = (fifo_begin + 1) % FIFO_SIZE;
    fifo_count--;
    return true;
}

void tx_byte_sent(void)
{
    if (--left == 0) say_sent();
}

unsigned tx_ahead(void)
{
    return fifo_count;
}

void tx_reset(void)
{
    fifo_begin = fifo_count = left = 0;
    sent = true;
}

#else

#define QUEUE_SIZE 4096
#define QUEUE_FRAMES 64
#define REPLY_SIZE 32
#define REPLIES 4

/* Frames, each behind its size. */
static uint8_t queue[QUEUE_SIZE];
static volatile unsigned queue_begin, queue_count, queue_frames;
static uint8_t replies[REPLIES][REPLY_SIZE];
static volatile unsigned reply_sizes[REPLIES], reply_count;

/* The frame on the line. */
static uint8_t current[REPLY_SIZE];
static volatile bool from_queue;
static volatile unsigned current_at, current_left, in_flight;

static uint8_t take(void)
{
    uint8_t byte = queue[queue_begin];
    queue_begin = (queue_begin + 1) % QUEUE_SIZE;
    queue_count--;
    return byte;
}

static void append(uint8_t byte)
{
    queue[(queue_begin + queue_count) % QUEUE_SIZE] = byte;
    queue_count++;
}

bool tx_send(const uint8_t *frame, size_t size, bool is_reply)
{
    bool accepted = false;
    hal_lock();
    if (is_reply) {
        if (reply_count < REPLIES && size <= REPLY_SIZE) {
            for (size_t i = 0; i < size; i++) replies[reply_count][i] = frame[i];
            reply_sizes[reply_count++] = (unsigned)size;
            accepted = true;
        }
    } else if (queue_frames < QUEUE_FRAMES && queue_count + size + 1 <= QUEUE_SIZE) {
        append((uint8_t)size);
        for (size_t i = 0; i < size; i++) append(frame[i]);
        queue_frames++;
        accepted = true;
    }
    if (accepted) sent = false;
    hal_unlock();
    if (accepted) hal_transmit();
    return accepted;
}

static bool begin_frame(void)
{
    if (reply_count) {
        from_queue = false;
        current_at = 0;
        current_left = reply_sizes[0];
        for (unsigned i = 0; i < current_left; i++) current[i] = replies[0][i];
        reply_count--;
        for (unsigned r = 0; r < reply_count; r++) {
            reply_sizes[r] = reply_sizes[r + 1];
            for (unsigned i = 0; i < REPLY_SIZE; i++) replies[r][i] = replies[r + 1][i];
        }
    } else if (queue_frames) {
        from_queue = true;
        current_left = take();
        queue_frames--;
    } else {
        return false;
    }
    sent = false;
    return true;
}

bool tx_next(uint8_t *byte)
{
    if (!current_left && !begin_frame()) return false;
    *byte = from_queue ? take() : current[current_at++];
    current_left--;
    in_flight++;
    return true;
}

void tx_byte_sent(void)
{
    if (in_flight && --in_flight == 0 && current_left == 0) say_sent();
}

unsigned tx_ahead(void)
{
    return current_left;
}

void tx_reset(void)
{
    queue_begin = queue_count = queue_frames = reply_count = current_left = in_flight = 0;
    sent = true;
}

#endif
