# SPDX-License-Identifier: Apache-2.0
"""A customer's UDP flow: udp_flow.py send ADDRESS PORT TOS COUNT PER_SECOND, or udp_flow.py receive PORT.

Packets are IPv4 packets of 1000 bytes. `send` prints a line of seconds that it took; `receive` prints "ready", then, two
seconds after the last packet, how many of each TOS octet came, as JSON."""
import json
import socket
import sys
import time

BYTES = 1000 - 28
SO_RCVBUFFORCE = 33  # socket(7); Python has no name for it


def send(address, port, tos, count, rate):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    begin = time.monotonic()
    for i in range(count):
        while time.monotonic() - begin < i / rate:
            time.sleep(0.001)
        out.sendto(bytes(BYTES), (address, port))
    print(time.monotonic() - begin)


def receive(port):
    into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    into.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    into.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    into.bind(("", port))
    print("ready", flush=True)
    came = {}
    try:
        while True:
            into.settimeout(2 if came else 20)
            _, ancillary, _, _ = into.recvmsg(2048, 64)
            tos = ancillary[0][2][0]
            came[tos] = came.get(tos, 0) + 1
    except TimeoutError:
        print(json.dumps(came))


if sys.argv[1] == "send":
    send(sys.argv[2], *map(int, sys.argv[3:]))
else:
    receive(int(sys.argv[2]))
