"""A coprocessor without hardware: virtual tags, a board that hears them, a pty that serves it.

`board` and `tags` are pure and run in simulated time, for tests as well; `pty` runs a board in
real time where a host looks for a serial port. It is a device, not a mock: a host talks to it
through its normal path.
"""
