"""tools/fleet.py with a few hosts and a real broker; how fast it is, is not tested."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

from cluster_tap import Packets
from fleet_hosts import connect_packet, packet, publish_packet
from hypothesis import given
from hypothesis import strategies as st
from mosquitto import needs_broker

TOOLS = Path(__file__).parents[2] / "tools"
VECTORS = Path(__file__).parents[1] / "vectors" / "mqtt.json"


def test_packets_are_those_of_a_gateway() -> None:
    [case] = [
        c for c in json.loads(VECTORS.read_text("utf-8"))["connect"] if c["name"] == "default"
    ]
    fields = case["fields"]
    made = connect_packet(
        fields["client_id"], fields["will"]["topic"], fields["will"]["payload"].encode()
    )
    assert made.hex().upper() == case["packet"]


def test_lengths() -> None:
    assert packet(0x30, bytes(127))[:3] == b"\x30\x7f\x00"
    assert packet(0x30, bytes(128))[:4] == b"\x30\x80\x01\x00"
    assert packet(0x30, bytes(16_384))[:5] == b"\x30\x80\x80\x01\x00"
    assert publish_packet("a", b"x", 0) == b"\x30\x04\x00\x01ax"
    assert publish_packet("a", b"x", 258, retain=True) == b"\x33\x06\x00\x01a\x01\x02x"


@needs_broker
def test_a_small_fleet() -> None:
    options = ["--hosts", "20", "--sensors", "30", "--interval", "0.5", "--seconds", "1"]
    command = [sys.executable, str(TOOLS / "fleet.py"), *options, "--scale", "50", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["messages_per_s"] > 0
    assert abs(told["bytes_per_s"] / told["messages_per_s"] - 216) < 2, "as calculated"
    assert told["back_all_s"] > 0


@given(st.lists(st.integers(0, 400), max_size=6), st.lists(st.integers(1, 500), min_size=1))
def test_packets_are_found_in_any_pieces(sizes: list[int], pieces: list[int]) -> None:
    """What tools/cluster.py sees of a connection."""
    wanted = [(0x32, bytes(size)) for size in sizes]
    stream = b"".join(packet(first, body) for first, body in wanted)
    packets, found = Packets(), []
    lengths = itertools.cycle(pieces)
    while stream:
        length = next(lengths)
        found += list(packets.feed(stream[:length]))
        stream = stream[length:]
    assert found == wanted
