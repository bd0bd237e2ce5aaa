# SPDX-License-Identifier: Apache-2.0
"""ARP requests (RFC 826) for one address, as many a second as asked for, each from another neighbour.

   arp_flood.py INTERFACE ADDRESS REQUESTS_PER_SECOND SECONDS

Prints how many were sent.
"""
import socket
import struct
import sys
import time

interface, address, rate, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
port.bind((interface, 0))
target = socket.inet_aton(address)
begin, sent = time.monotonic(), 0
while (passed := time.monotonic() - begin) < seconds:
    while sent < passed * rate:
        mac = b"\x02\xaf" + struct.pack("!I", sent)
        sender = target[:3] + bytes([3 + sent % 250])
        arp = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, mac, sender, bytes(6), target)
        try:
            port.send(b"\xff" * 6 + mac + b"\x08\x06" + arp)
            sent += 1
        except OSError:  # the queue is full
            break
    time.sleep(0.001)
print(sent)
