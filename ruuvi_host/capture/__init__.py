"""Captures: every byte between host and coprocessor, both ways, with its times, in one format.

`pcapng` is the format, `source` reads files of it (and recordings without any format), `recorder`
writes what a port hands over, `player` plays it back, `anonymize` masks who was heard. The room
knows no ports: it is handed what passes, and hands out what is to be sent.
"""
