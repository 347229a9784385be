"""Captures: every byte between host and coprocessor, in both directions, with timestamps.

`pcapng` is the file format, `source` reads captures and plain recordings, `recorder` writes what a
port passes on, `player` plays it back, `anonymize` masks what identifies sensors. This package
opens no ports: it gets bytes, and returns bytes to send.
"""
