# SPDX-License-Identifier: Apache-2.0
"""Writes strongswan.json: an exchange between two charons, from a capture and the initiator's log.

    /usr/bin/python3 test/vectors/ike/strongswan_vectors.py CAPTURE.pcap INITIATOR.log

How it was taken: two charons 5.9.8 (Debian 5.9.8-5+deb12u6) in network namespaces of their own, a veth pair
with 192.0.2.1 (a, initiator) and 192.0.2.2 (b) between them, PSK, mode = transport, ts dynamic[gre],
    proposals = aes128-sha256-ecp256-x25519,
                aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp384-modp3072,
                chacha20poly1305-prfsha512-curve25519
    esp_proposals = aes256gcm16-esn-noesn,aes128-sha256
log level ike = 4, which has the keys; then swanctl --initiate and --terminate, with tshark writing the capture.
The kernel had no ESP, so b refuses the child SA with NO_PROPOSAL_CHOSEN; the IKE SA stands.
`said` is charon's own summary in its log. `inner` is what openssl decrypts of SK with charon's SK_ei and SK_er
(ENCR_AES_CBC, 128 bits: IV 16, ciphertext, checksum 16), padding removed.
"""
import json
import os
import re
import subprocess
import sys

from scapy.all import UDP, rdpcap

packets = rdpcap(sys.argv[1])
log = open(sys.argv[2], encoding='utf8', errors='replace').read()

KEYS = [
    re.search(rf'Sk_{end} secret.*\n.*?0: ((?:[0-9A-F]{{2}} )+)', log).group(1).replace(' ', '')
    for end in ('ei', 'er')
]
SAID = re.findall(r'(?:generating|parsed) ([A-Z_]+ (?:request|response) \d \[.*?\])', log)

messages = []
for packet in packets:
    if UDP not in packet or not {500, 4500} & {packet[UDP].sport, packet[UDP].dport}:
        continue
    octets = bytes(packet[UDP].payload)
    if 4500 in (packet[UDP].sport, packet[UDP].dport):
        octets = octets[4:]  # the non-ESP marker
    if len(octets) < 28:
        continue  # NAT keepalive
    message = {'said': SAID[len(messages)], 'octets': octets.hex()}
    if octets[16] == 46:
        key = KEYS[0] if octets[19] & 8 else KEYS[1]
        command = ['openssl', 'enc', '-d', '-aes-128-cbc', '-nopad', '-K', key, '-iv', octets[32:48].hex()]
        plain = subprocess.run(command, input=octets[48:-16], capture_output=True, check=True).stdout
        message['inner'] = plain[: len(plain) - 1 - plain[-1]].hex()
    messages.append(message)

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'strongswan.json'), 'w', encoding='utf8') as out:
    json.dump({'from': 'charon 5.9.8, see strongswan_vectors.py', 'messages': messages}, out, indent=2)
    out.write('\n')
