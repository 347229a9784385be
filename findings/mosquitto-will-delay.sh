#!/usr/bin/env bash
# mosquitto lets a will wait for its Will Delay Interval although the session has ended.
#
# Versions: mosquitto 2.0.11-1.2+deb12u2 (Debian 12); paho-mqtt 2.2.0.
# What one expects (MQTT 5, 3.1.3.2.2): the broker publishes a will when the Will Delay Interval has passed or
# when the session ends, whichever happens first. Without a Session Expiry Interval a session ends with its
# connection, so the will goes out at once, whatever its delay.
# What it does: it waits for the delay in both cases. So a client that forgets the session works here, and not
# with a broker that does as the standard says.
#
# Seen: no session expiry: 3 s or more; session expiry 60: 3 s or more. This fails when the first is sooner than
# 2 s, or the second is. Half a minute, all on loopback. It needs apt-get (download only).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download --quiet mosquitto=2.0.11-1.2+deb12u2 libwebsockets17 libcjson1 libwrap0 libdlt2 libev4 libuv1 >apt 2>&1 ||
    { cat apt; exit 1; }
for package in *.deb; do dpkg-deb --extract "$package" debian; done
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check paho-mqtt==2.2.0 2>pip || { cat pip; exit 1; }
cat >try.py <<'END'
import socket
import subprocess
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

DELAY = 3
with socket.create_server(("127.0.0.1", 0)) as holder:
    port = holder.getsockname()[1]
broker = subprocess.Popen(
    ["debian/usr/sbin/mosquitto", "-p", str(port)], stderr=subprocess.DEVNULL
)


def connected(client, **options):
    while True:
        try:
            client.connect("127.0.0.1", port, **options)
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    client.loop_start()
    while not client.is_connected():
        time.sleep(0.01)
    return client


def waited(expiry):
    """Seconds from the end of a connection to its will."""
    heard, subscribed = [], []
    subscriber = paho.Client(paho.CallbackAPIVersion.VERSION2)
    subscriber.on_message = lambda *_: heard.append(time.monotonic())
    subscriber.on_subscribe = lambda *_: subscribed.append(True)
    connected(subscriber).subscribe("will", 1)
    while not subscribed:
        time.sleep(0.01)
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "x", protocol=paho.MQTTv5)
    will = Properties(PacketTypes.WILLMESSAGE)
    will.WillDelayInterval = DELAY
    client.will_set("will", b"gone", 1, False, will)
    session = Properties(PacketTypes.CONNECT)
    if expiry:
        session.SessionExpiryInterval = expiry
    connected(client, clean_start=True, properties=session)
    client.loop_stop()
    client.socket().close()
    ended = time.monotonic()
    while not heard:
        time.sleep(0.01)
        assert time.monotonic() < ended + 30, "no will at all"
    subscriber.disconnect()
    subscriber.loop_stop()
    return heard[0] - ended


try:
    without, with_expiry = waited(0), waited(60)
finally:
    broker.kill()
print(f"no session expiry: {without:.1f} s; session expiry 60: {with_expiry:.1f} s")
assert without >= 2, "it does as the standard says now"
assert with_expiry >= 2, "it does not wait"
END
LD_LIBRARY_PATH=$(echo "$folder"/debian/usr/lib/*) venv/bin/python try.py
