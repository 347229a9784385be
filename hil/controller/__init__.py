"""A scripted Bluetooth controller: what a host with an HCI radio is tried against, without a radio.

Written from the layout in the Bluetooth Core Specification (Vol 4, Parts A and E), and sharing not
one line with ruuvi_host.hci, so that a mistake in one of the two is not in the other.

`python -m hil.controller --help` starts one by hand; installed it is ruuvi_host.hil.controller.
"""
