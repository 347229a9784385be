"""A coprocessor made of a Bluetooth controller: a device, on a pty, as the simulator is one.

A host meets it as a serial port only. `ruuvi_host.hci` decides what is said to the controller,
`firmware_protocol` what is said to the host; here the bytes are moved, ports and ptys opened, and
what is lost is opened again.
"""
