#!/usr/bin/env bash
# bumble reads the TX power of an extended advertising report as unsigned.
#
# Version: bumble 0.0.236.
# What one expects: LE Extended Advertising Report (Core Vol 4 Part E, 7.7.65.13): TX_Power is one byte,
# signed, -127 to 20 dBm, 127 when it is not available. The RSSI behind it is signed likewise.
# What it does: the RSSI of the same report is signed, the TX power is not: -4 dBm is 252, so what is
# below 0 dBm, as that of most sensors is, cannot be told from a value that the specification reserves.
#
# Seen: what `expected` holds, below. This fails if any of it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check bumble==0.0.236 \
    2>"$folder/pip" || { cat "$folder/pip"; exit 1; }
cat >"$folder/read.py" <<'END'
from bumble.hci import HCI_Packet

for tx_power in (4, 0, -4, -40, 127):
    report = bytes.fromhex("0000 01 4F884C33B8CB 01 02 00")
    report += tx_power.to_bytes(1, "little", signed=True) + (-67).to_bytes(1, "little", signed=True)
    report += bytes(9) + bytes.fromhex("03 020106")
    parameters = bytes.fromhex("0D 01") + report
    event = HCI_Packet.from_bytes(bytes((4, 0x3E, len(parameters))) + parameters)
    read = event.reports[0]
    print(f"TX power {tx_power}, RSSI -67: read as {read.tx_power}, {read.rssi}")
END
expected="TX power 4, RSSI -67: read as 4, -67
TX power 0, RSSI -67: read as 0, -67
TX power -4, RSSI -67: read as 252, -67
TX power -40, RSSI -67: read as 216, -67
TX power 127, RSSI -67: read as 127, -67"
seen=$("$folder/venv/bin/python" -W ignore "$folder/read.py")
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed: expected"; echo "$expected"; exit 1; }
