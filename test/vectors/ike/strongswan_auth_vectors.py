# SPDX-License-Identifier: Apache-2.0
"""Writes strongswan_auth.json: AUTH values of two charons with a preshared key, and what they are made of.

    /usr/bin/python3 test/vectors/ike/strongswan_auth_vectors.py CAPTURE.pcap INITIATOR.log

Taken as strongswan.json was (see strongswan_vectors.py), with charon 5.9.8,
    proposals = aes128gcm16-prfsha384-x25519
    secret = "a preshared key that both charons have"
log level ike = 4. The initiator's log has its own AUTH and the one that it expects of the responder.
"""
import json
import os
import re
import sys

from scapy.all import UDP, rdpcap

packets = [bytes(packet[UDP].payload) for packet in rdpcap(sys.argv[1]) if UDP in packet]
log = open(sys.argv[2], encoding='utf8', errors='replace').read()


def dumps(title):
    """The octets of each dump with this title."""
    found = re.findall(rf'\[IKE\] {re.escape(title)} => (\d+) bytes.*\n((?:\d+\[IKE\] +\d+: .*\n)+)', log)
    octets = []
    for length, lines in found:
        pairs = re.findall(r'\[IKE\] +\d+: ((?:[0-9A-F]{2} )+)', lines)
        octets.append(''.join(pairs).replace(' ', '').lower()[: 2 * int(length)])
    return octets


IDS = dumps("IDx'")
AUTHS = dumps('AUTH = prf(prf(secret, keypad), octets)')
SIDES = [
    {'role': 'initiator', 'message': packets[0].hex(), 'skP': dumps('Sk_pi secret')[0], 'identity': IDS[0], 'auth': AUTHS[0]},
    {'role': 'responder', 'message': packets[1].hex(), 'skP': dumps('Sk_pr secret')[0], 'identity': IDS[1], 'auth': AUTHS[1]},
]

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'strongswan_auth.json'), 'w', encoding='utf8') as out:
    json.dump(
        {
            'from': 'charon 5.9.8, see strongswan_auth_vectors.py',
            'secret': 'a preshared key that both charons have',
            'prf': 'sha384',
            'sides': SIDES,
        },
        out,
        indent=2,
    )
    out.write('\n')
