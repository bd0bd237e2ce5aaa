# SPDX-License-Identifier: Apache-2.0
"""First fragments of ESP packets (RFC 791 3.2) that nobody ever completes, from ever other sources.

   fragment_flood.py INTERFACE MAC ADDRESS PER_SECOND SECONDS

Sent to ADDRESS, on a link where it has that MAC. Prints how many were sent.
"""
import socket
import struct
import sys
import time

interface, mac, address, rate, seconds = sys.argv[1:4] + [int(sys.argv[4]), float(sys.argv[5])]
port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
port.bind((interface, 0))
front = bytes.fromhex(mac.replace(":", "")) + bytes([2, 0xF0, 0, 0, 0, 1]) + b"\x08\x00"
MORE = 0x2000
BYTES = 64


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def fragment(number):
    """Four for each datagram, eight datagrams of each source."""
    source = struct.pack("!BBH", 198, 18, number // 32 % 65000)
    rest = struct.pack("!HBBH", MORE | number % 4 * (BYTES // 8), 64, 50, 0)
    head = struct.pack("!BBHH", 0x45, 0, 20 + BYTES, number // 4 % 65536) + rest
    header = head + source + socket.inet_aton(address)
    return front + header[:10] + struct.pack("!H", checksum(header)) + header[12:] + bytes(BYTES)


begin, sent = time.monotonic(), 0
while (passed := time.monotonic() - begin) < seconds:
    while sent < passed * rate:
        try:
            port.send(fragment(sent))
            sent += 1
        except OSError:  # the queue is full
            break
    time.sleep(0.001)
print(sent)
