# SPDX-License-Identifier: Apache-2.0
"""IKE_SA_INIT requests from addresses that are nobody's, so many a second:

    python3 perf/ike-flood.py INTERFACE ADDRESS PER-SECOND

Each has a source address of 10.192.0.0/10, a port, an SPI, a nonce and an X25519 value of its own, and proposes what the
load generator proposes. On SIGINT it writes {"sent": N, "seconds": S, "perSecond": R} and ends. Frames go out by a packet
socket, since a UDP socket has one address.
"""
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

interface, address, per_second = sys.argv[1], sys.argv[2], int(sys.argv[3])

subprocess.run(['ping', '-c1', '-W2', address], stdout=subprocess.DEVNULL, check=True)
neighbour = subprocess.run(['ip', 'neigh', 'show', address], capture_output=True, text=True, check=True).stdout.split()
destination = bytes.fromhex(neighbour[neighbour.index('lladdr') + 1].replace(':', ''))
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((interface, 0))
source = out.getsockname()[4]


def payload(next_type, body):
    return struct.pack('!BBH', next_type, 0, 4 + len(body)) + body


transforms = (
    bytes.fromhex('0300000c01000014800e0080')  # AES-GCM, 128 bits
    + bytes.fromhex('0300000802000005')  # PRF_HMAC_SHA2_256
    + bytes.fromhex('000000080400001f')  # X25519
)
proposal = struct.pack('!BBHBBBB', 0, 0, 8 + len(transforms), 1, 1, 0, 3) + transforms
SA = payload(34, proposal)
KE_AT = 28 + len(SA) + 8
NONCE_AT = KE_AT + 32 + 4
message = bytearray(28)
message += SA + payload(40, struct.pack('!HH', 31, 0) + bytes(32)) + payload(0, bytes(32))
message[16:20] = bytes([33, 0x20, 34, 0x08])
struct.pack_into('!I', message, 24, len(message))

udp = struct.pack('!HHHH', 500, 500, 8 + len(message), 0)  # no checksum
total = 20 + len(udp) + len(message)
ip = bytearray(struct.pack('!BBHHHBBH', 0x45, 0, total, 0, 0x4000, 64, 17, 0) + bytes(4) + socket.inet_aton(address))
frame = bytearray(destination + source + b'\x08\x00' + ip + udp + message)
IP_AT, UDP_AT, IKE_AT = 14, 34, 42
base = sum(struct.unpack('!10H', bytes(ip)))

running = True


def stop(*_):
    global running
    running = False


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
pool = os.urandom(1 << 20)
sent = 0
begin = time.perf_counter()
while running:
    due = int((time.perf_counter() - begin) * per_second)
    if due <= sent:
        time.sleep(0.001)
        continue
    # What could not be sent in time is not caught up with for longer than 20 ms.
    if due - sent > per_second // 50:
        begin += (due - sent - per_second // 50) / per_second
        due = sent + per_second // 50
    for _ in range(due - sent):
        low = random.getrandbits(32)
        high = 0x0AC0 | (low & 0x3F)
        word = low >> 16
        checksum = base + high + word
        checksum = (checksum & 0xFFFF) + (checksum >> 16)
        checksum = (checksum & 0xFFFF) + (checksum >> 16)
        struct.pack_into('!H', frame, IP_AT + 10, ~checksum & 0xFFFF)
        struct.pack_into('!HH', frame, IP_AT + 12, high, word)
        at = low % ((1 << 20) - 128)
        frame[IKE_AT:IKE_AT + 8] = pool[at:at + 7] + b'\x01'
        frame[IKE_AT + KE_AT:IKE_AT + KE_AT + 32] = pool[at + 8:at + 40]
        frame[IKE_AT + NONCE_AT:IKE_AT + NONCE_AT + 32] = pool[at + 40:at + 72]
        try:
            out.send(frame)
        except OSError:
            pass  # the device's queue is full: lost, as on any link
    sent = due
seconds = time.perf_counter() - begin
print(json.dumps({'sent': sent, 'seconds': seconds, 'perSecond': sent / seconds}))
