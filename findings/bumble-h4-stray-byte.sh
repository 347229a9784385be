#!/usr/bin/env bash
# A byte that begins no packet costs bumble's H4 parser all that came in the same read.
#
# Version: bumble 0.0.236.
# What one expects: a receiver of H4 on a line finds its way back (Zephyr's hci_uart skips such a byte
# alone), and what it reads does not depend on where the line cuts the bytes.
# What it does: its transports throw away the rest of the data that they were given with that byte, valid
# packets included. Given byte by byte the same stream loses nothing. So a host that puts zeros before
# HCI_Reset, to complete a command that a controller was left in the middle of, is never answered by
# bumble's virtual controller on tcp-server or pty.
#
# Seen: what `expected` holds, below. This fails if any of it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check bumble==0.0.236 \
    2>"$folder/pip" || { cat "$folder/pip"; exit 1; }
cat >"$folder/read.py" <<'END'
import asyncio
import logging

from bumble.transport.common import StreamPacketSource

logging.disable(logging.CRITICAL)
RESET = bytes.fromhex("01 03 0C 00")


class Sink:
    def __init__(self):
        self.packets = []

    def on_packet(self, packet):
        self.packets.append(packet)


async def count(*reads):
    source, sink = StreamPacketSource(), Sink()
    source.set_packet_sink(sink)
    for read in reads:
        source.data_received(read)
    return len(sink.packets)


async def main():
    stream = RESET + b"\0" + RESET + RESET
    print("three packets:", await count(RESET * 3))
    print("a zero behind the first, in one read:", await count(stream))
    print("the same, byte by byte:", await count(*(bytes((byte,)) for byte in stream)))


asyncio.run(main())
END
expected="three packets: 3
a zero behind the first, in one read: 1
the same, byte by byte: 3"
seen=$("$folder/venv/bin/python" -W ignore "$folder/read.py")
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed: expected"; echo "$expected"; exit 1; }
