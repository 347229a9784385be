#!/usr/bin/env bash
# serialx says nothing when a modem line cannot be set.
#
# Version: serialx 1.15.1.
# What one expects: who sets DTR or RTS of an open port that has no such line (a pseudo-terminal, a port of
# a virtual machine) is told, as by pyserial 3.5, whose interface serialx is compatible with: an OSError, as the
# kernel gives one (ENOTTY). Else a board that is to be reset by DTR is taken for one that was reset.
# What it does: nothing. The error of the system call ends in serialx, where it is at most a line of the debug
# log. Reading the line back gives the level that was asked for, in both cases.
#
# Seen: what `expected` holds, below. This fails if any of it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check serialx==1.15.1 pyserial==3.5 \
    2>"$folder/pip" || { cat "$folder/pip"; exit 1; }
cat >"$folder/set.py" <<'END_OF_PROGRAM'
import os

import serial
import serialx

for library in (serial, serialx):
    ours, theirs = os.openpty()
    port = library.Serial(os.ttyname(theirs), 115200)
    if library is serialx:
        port.open()  # pyserial has opened it already
    try:
        port.dtr = False
        told = "nothing"
    except OSError as error:
        told = f"an error, {error.errno}"
    try:
        level = port.dtr
    except OSError:
        level = "an error"
    print(f"{library.__name__}: setting DTR: {told}; DTR is {level}")
    port.close()
    os.close(ours)
    os.close(theirs)
END_OF_PROGRAM
expected="serial: setting DTR: an error, 25; DTR is False
serialx: setting DTR: nothing; DTR is False"
seen=$(timeout 30 "$folder/venv/bin/python" -W ignore "$folder/set.py")
echo "$seen"
[ "$seen" = "$expected" ] || { echo "this has changed: expected"; echo "$expected"; exit 1; }
