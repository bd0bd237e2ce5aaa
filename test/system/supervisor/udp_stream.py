# SPDX-License-Identifier: Apache-2.0
"""A stream of numbered UDP packets each way between two hosts, one program at either end.

   udp_stream.py LOCAL REMOTE PACKETS_PER_SECOND LOG

Sends for as long as it lives, and writes a line "NUMBER MILLISECONDS" (Unix time) to LOG for each packet it receives.
"""
import socket
import sys
import threading
import time

PORT = 9999
local, remote, rate, log = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((local, PORT))


def send():
    number, due = 0, time.monotonic()
    while True:
        try:
            udp.sendto(b"%d" % number, (remote, PORT))
        except OSError:  # an ICMP error about an earlier one
            pass
        number += 1
        due = max(due + 1 / rate, time.monotonic() - 0.05)
        time.sleep(max(0, due - time.monotonic()))


threading.Thread(target=send, daemon=True).start()
with open(log, "w", buffering=1, encoding="ascii") as out:
    while True:
        try:
            data = udp.recv(100)
        except OSError:
            continue
        out.write("%s %.1f\n" % (data.decode("ascii"), time.time() * 1000))
