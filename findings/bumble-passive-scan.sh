#!/usr/bin/env bash
# bumble's virtual controller sends scan responses to a scanner that only listens.
#
# Version: bumble 0.0.236.
# What one expects: a scanner that scans passively (LE_Scan_Type 0, Core Vol 4 Part E, 7.8.10) sends no
# scan request, so nothing answers one: it is told of advertisements, never of scan responses.
# What it does: each advertisement of a connectable advertiser on a LocalLink is reported twice, the second
# time as a scan response (8), passive or active. Who counts reports against it counts twice as many. They are
# extended reports though the scan commands are the legacy ones, which no other controller does, without the
# bit that says that the advertisement was a legacy one. And an advertiser that is not connectable
# (ADV_NONCONN_IND, as a beacon is) is never reported at all.
#
# Seen: what `expected` holds, below. This fails if any of it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check bumble==0.0.236 \
    2>"$folder/pip" || { cat "$folder/pip"; exit 1; }
cat >"$folder/scan.py" <<'END'
import asyncio

from bumble import hci
from bumble.controller import Controller
from bumble.link import LocalLink

NOBODY = hci.Address("00:00:00:00:00:00")


class Host:
    """Takes what the controller says."""

    def __init__(self):
        self.kinds = set()

    def on_packet(self, packet):
        event = hci.HCI_Packet.from_bytes(packet)
        for report in getattr(event, "reports", ()):
            self.kinds.add(f"{event.name} {int(report.event_type)}")


def advertise(kind):
    return [
        hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address("CB:B8:33:4C:88:4F")),
        hci.HCI_LE_Set_Advertising_Parameters_Command(
            advertising_interval_min=160, advertising_interval_max=160, advertising_type=kind,
            own_address_type=1, peer_address_type=0, peer_address=NOBODY,
            advertising_channel_map=7, advertising_filter_policy=0,
        ),
        hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=bytes.fromhex("020106")),
        hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1),
    ]


async def scan(scan_type, kind):
    radio, host = LocalLink(), Host()
    scanner = Controller("scanner", host_sink=host, link=radio, public_address="C0:48:43:49:00:02")
    tag = Controller("tag", link=radio)
    for command in (
        hci.HCI_LE_Set_Scan_Parameters_Command(
            le_scan_type=scan_type, le_scan_interval=160, le_scan_window=160,
            own_address_type=0, scanning_filter_policy=0,
        ),
        hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0),
    ):
        scanner.on_hci_command_packet(command)
    for command in advertise(kind):
        tag.on_hci_command_packet(command)
    await asyncio.sleep(1.0)
    tag.on_hci_command_packet(hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=0))
    return sorted(host.kinds)


for name, scan_type, kind in (
    ("active, ADV_IND", 1, 0), ("passive, ADV_IND", 0, 0), ("passive, ADV_NONCONN_IND", 0, 3)
):
    print(f"{name}: {', '.join(asyncio.run(scan(scan_type, kind))) or 'nothing'}")
END
report=HCI_LE_EXTENDED_ADVERTISING_REPORT_EVENT
expected="active, ADV_IND: $report 1, $report 8
passive, ADV_IND: $report 1, $report 8
passive, ADV_NONCONN_IND: nothing"
seen=$(timeout 30 "$folder/venv/bin/python" -W ignore "$folder/scan.py")
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed: expected"; echo "$expected"; exit 1; }
