#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""ESP packets of a network namespace, sent and received by raw sockets: its kernel has no ESP of its own.

One JSON object per line on stdin is a request, one on stdout its answer. Packets are hexadecimal, SPI to ICV.

  {"op": "open", "local": address}                    IPv4 or IPv6; again for another one
  {"op": "send", "local": .., "remote": .., "packets": [hex]}
  {"op": "take"}                                      {"packets": [[source, hex]]} received since the last take
"""
import ctypes
import json
import select
import socket
import sys

ESP = 50


class End:
    def __init__(self):
        self.sockets = {}
        self.packets = []

    def open(self, local):
        family = socket.AF_INET6 if ":" in local else socket.AF_INET
        raw = socket.socket(family, socket.SOCK_RAW, ESP)
        raw.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        raw.bind((local, 0))
        raw.setblocking(False)
        self.sockets[local] = raw
        return {}

    def send(self, local, remote, packets):
        for packet in packets:
            self.sockets[local].sendto(bytes.fromhex(packet), (remote, 0))
        return {}

    def take(self):
        self.drain()
        taken, self.packets = self.packets, []
        return {"packets": taken}

    def drain(self):
        for local, raw in self.sockets.items():
            while True:
                try:
                    data, source = raw.recvfrom(65536)
                except BlockingIOError:
                    break
                # IPv4 packets come with their header, IPv6 ones without.
                at = 0 if ":" in local else (data[0] & 15) * 4
                self.packets.append([source[0], data[at:].hex()])


def main():
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM
    end = End()
    buffer = b""
    while True:
        ready, _, _ = select.select([sys.stdin, *end.sockets.values()], [], [])
        end.drain()
        if sys.stdin not in ready:
            continue
        chunk = sys.stdin.buffer.raw.read(1 << 20)
        if not chunk:
            return
        buffer += chunk
        while b"\n" in buffer:
            line, buffer = buffer.split(b"\n", 1)
            request = json.loads(line)
            try:
                reply = getattr(end, request.pop("op"))(**request)
            except OSError as error:
                reply = {"error": str(error)}
            sys.stdout.write(json.dumps(reply) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
