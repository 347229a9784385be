"""What travels on the wire between a host and a Ruuvi coprocessor ("CA-UART").

Pure: bytes and time in, values out. No asyncio, no serial port, no clock. The modules, bottom up:
`crc`, `commands`, `framing`, `messages`, then the two ends of the wire: `session` (the host) and
`coprocessor`. Everything is imported from its module; this package imports nothing by itself.
"""
