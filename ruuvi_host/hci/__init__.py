"""The host's end of a Bluetooth controller: H4, and as much of HCI as scanning needs.

Pure: bytes and time in, values and bytes out. `session.ControllerSession` is one life of an open
transport; its parts stand beside it. `ruuvi_host.bridge` moves the bytes.
"""
