"""Starts the scripted controller by hand, with RuuviTags in the air."""

import argparse
import json
import sys
import threading
from contextlib import suppress
from dataclasses import replace

from .adverts import Advert, Cycle, with_scan_responses
from .habits import EVERYTHING, EXTENDED_ONLY, NO_ADDRESS, RASPBERRY_PI, Fault, Habits
from .serving import ServedController, on_pty, on_tcp

RADIOS = {"coded": EVERYTHING, "extended": EXTENDED_ONLY, "legacy": RASPBERRY_PI}
FORMAT_5 = bytes.fromhex("0201061BFF99040512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F")
FORMAT_6 = bytes.fromhex("02010603039AFC1417FF990406170C5668C79E007000C90501D9CDCD004C884F")
ODD = Habits(
    refuses_by_status=True,
    off_when_off=0x0C,
    credits_late=True,
    answer_after=0.02,
    chatter=True,
    reports_per_event=3,
    cuts=7,
    begins_with=bytes.fromhex("01 6D 0C FF"),
)


def tags(count: int, *, is_extended: bool) -> list[Advert]:
    """RuuviTags that send format 5; or extended advertisements with the same data."""
    maker = bytes.fromhex("CBB8334C")
    addresses = [maker + number.to_bytes(2, "big") for number in range(count)]
    return [
        Advert(
            address,
            FORMAT_5[:-6] + address,
            -50 - number % 40,
            is_extended=is_extended,
            secondary=int(is_extended),
            sid=0 if is_extended else 0xFF,
        )
        for number, address in enumerate(addresses)
    ]


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="python -m hil.controller",
        description="A Bluetooth controller without a radio, on a pseudo-terminal or on TCP, for "
        "`ruuvi-host bridge --hci`. Prints where it is. Lines on its standard input make it fail: "
        + ", ".join([*Fault, "heal"])
        + ".",
    )
    where = made.add_mutually_exclusive_group()
    where.add_argument("--tcp", action="store_true", help="on 127.0.0.1 instead of a pty")
    where.add_argument("--link", metavar="PATH", help="symbolic link to the pty")
    made.add_argument("--radio", choices=RADIOS, default="coded", help="what it can hear")
    made.add_argument("--tags", type=int, default=8, metavar="N")
    made.add_argument("--rate", type=float, default=10.0, metavar="N", help="reports a second")
    made.add_argument("--extended", action="store_true", help="the tags use extended advertising")
    made.add_argument("--scan-responses", action="store_true", help="and each is heard twice")
    made.add_argument("--no-address", action="store_true", help="BD_ADDR is zero, as on an nRF52")
    made.add_argument("--odd", action="store_true", help="everything valid that is unusual")
    made.add_argument(
        "--lies", action="store_true", help="tells of abilities that it has not (coded, extended)"
    )
    return made


def main() -> None:
    """Serve until its standard input says stop, or Ctrl-C."""
    options = parser().parse_args()
    habits = ODD if options.odd else Habits()
    told = RADIOS[options.radio]
    habits = replace(habits, features=told)
    if options.lies:
        habits = replace(habits, features=EVERYTHING, lacks=EVERYTHING & ~RASPBERRY_PI)
    if options.no_address:
        static = bytes.fromhex("E5CAF0010203")
        habits = replace(habits, address=NO_ADDRESS, static_addresses=(static,))
    adverts = tags(options.tags, is_extended=options.extended)
    if options.scan_responses:
        adverts = with_scan_responses(adverts)
    make = on_tcp() if options.tcp else None
    if options.link:
        make = on_pty(options.link)
    with ServedController(habits, Cycle(adverts, options.rate), make) as served:
        print(served.path, flush=True)
        with suppress(KeyboardInterrupt):
            obey(served)
        print(json.dumps({"commands": len(served.seen.commands), **served.seen.counts}), flush=True)


def obey(served: ServedController) -> None:
    """Do what the lines say; at the end of the input, go on."""
    for line in sys.stdin:
        word = line.strip()
        if word == "stop":
            return
        if word == "heal":
            served.heal()
        elif word in list(Fault):
            served.fail(Fault(word))
        elif word:
            print(f"{word}: none of {', '.join([*Fault, 'heal', 'stop'])}", file=sys.stderr)
    threading.Event().wait()


if __name__ == "__main__":
    main()
