# SPDX-License-Identifier: Apache-2.0
"""
The same customer packets as VPN-SPI would send them and as Sealane does, built, sealed and opened again by Scapy.

    VPN-SPI   outer IP | ESP: SPI = SA << 20 | label, sequence | IV 8 | inner | padding, trailer | ICV 16   (tunnel mode)
    Sealane   outer IP | ESP: SPI, sequence | IV 8 | [GRE 4] | MPLS 4 | inner | padding, trailer | ICV 16   (transport mode)

Prints a JSON array of { encapsulation, family, inner, ours, vpnSpi }: bytes of whole outer IP packets. Fails when a
packet does not come out of its SA as it went in, or the label is not where it was put.
"""
import json
import os
import sys

from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.layers.l2 import GRE
from scapy.packet import Raw

LABEL = 24001
# Twelve bits are left for what IPsec itself needs the SPI for: 4,096 SAs at a receiver, and none of 0..255 (RFC 4303).
SA = 0xABC
SIZES = [int(size) for size in sys.argv[1:]]
KEY = os.urandom(20)
OUTER = {
    4: IP(src='192.0.2.1', dst='192.0.2.2'),
    6: IPv6(src='2001:db8::1', dst='2001:db8::2'),
}


def association(spi, tunnel=None):
    extra = {} if tunnel is None else {'tunnel_header': tunnel}
    return SecurityAssociation(ESP, spi=spi, crypt_algo='AES-GCM', crypt_key=KEY, **extra)


def inner(size):
    head = IP(src='10.1.0.2', dst='10.2.0.2') / UDP(sport=5000, dport=5001)
    return IP(bytes(head / Raw(os.urandom(size - 28))))


def vpn_spi(family, packet):
    sa = association(SA << 20 | LABEL, OUTER[family])
    sealed = sa.encrypt(packet)
    assert sealed[ESP].spi & 0xFFFFF == LABEL
    length = len(bytes(sealed))  # opening takes the packet apart
    # tunnel mode takes the outer header off and leaves the customer's packet
    assert bytes(sa.decrypt(sealed)) == bytes(packet), 'VPN-SPI packet does not open'
    return length


def sealane(family, encapsulation, packet):
    sa = association(0x51A00001)
    shim = MPLS(label=LABEL, s=1, ttl=255) / packet
    if encapsulation == 'gre':
        plain = OUTER[family] / GRE(proto=0x8847) / shim
    else:
        plain = OUTER[family].copy()
        setattr(plain, 'proto' if family == 4 else 'nh', 137)
        plain = plain / Raw(bytes(shim))
    plain = plain.__class__(bytes(plain))
    sealed = sa.encrypt(plain)
    length = len(bytes(sealed))
    opened = sa.decrypt(sealed)
    assert bytes(opened).endswith(bytes(shim)), 'Sealane packet does not open'
    return length


rows = []
for family in (4, 6):
    for encapsulation in ('gre', 'ip'):
        for size in SIZES:
            packet = inner(size)
            rows.append({
                'encapsulation': encapsulation,
                'family': family,
                'inner': size,
                'ours': sealane(family, encapsulation, packet),
                'vpnSpi': vpn_spi(family, packet),
            })
json.dump(rows, sys.stdout)
