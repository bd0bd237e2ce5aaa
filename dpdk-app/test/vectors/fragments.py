#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes fragments.h: IPv4 packets larger than their next hop's MTU, and the pieces they have to leave in.

Scapy cuts those without options (`fragment`). It copies every option into every piece, so of packets with
options the pieces are built one by one: the first with all options, the others with those whose type has the
copied flag (RFC 791 3.1), as Scapy's option classes know it. Every list of pieces is put together again by
Scapy's `defragment`, which must yield the packet. Nothing of Sealane takes part.

    /usr/bin/python3 dpdk-app/test/vectors/fragments.py

The output is committed; running it again must not change it.
"""
import os

from scapy.layers.inet import (
    IP,
    UDP,
    IPOption,
    IPOption_LSRR,
    IPOption_NOP,
    IPOption_RR,
    IPOption_Router_Alert,
    IPOption_Security,
    IPOption_Timestamp,
    defragment,
    fragment,
)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

HERE = os.path.dirname(os.path.abspath(__file__))
CE_MAC, PE_CE_MAC = "02:00:00:00:0c:01", "02:00:00:00:01:01"
SOURCE, DESTINATION = "10.1.1.1", "10.9.0.2"  # world.h; 10.9.0.0/24 is the tunnel in clear of scene.h


def packet(size, ttl, options=(), **fields):
    body = Raw(bytes(i * 7 + (i >> 8) & 0xFF for i in range(size)))
    head = IP(src=SOURCE, dst=DESTINATION, ttl=ttl, tos=0xB8, id=0x4321, proto=17, options=list(options), **fields)
    return IP(bytes(head / body))


def cut(whole, mtu):
    """By the rules of RFC 791 3.2, for packets that carry options or are fragments themselves."""
    payload, pieces, at = bytes(whole.payload), [], 0
    while at < len(payload):
        options = whole.options if at == 0 else [o for o in whole.options if o.copy_flag]
        piece = IP(
            src=whole.src, dst=whole.dst, ttl=whole.ttl, tos=whole.tos, id=whole.id, proto=whole.proto, options=options
        )
        room = mtu - len(bytes(piece))
        last = len(payload) - at <= room
        take = len(payload) - at if last else room // 8 * 8
        piece.frag = whole.frag + at // 8
        piece.flags = whole.flags if last else "MF"
        pieces.append(bytes(piece / Raw(payload[at : at + take])))
        at += take
    return pieces


def vector(name, mtu, size, options=(), **fields):
    came, left = (packet(size, ttl, options, **fields) for ttl in (33, 32))
    pieces = cut(left, mtu)
    if not options and not fields and mtu % 8 == 4:  # of other MTUs Scapy does not fill the last piece
        by_scapy = [bytes(IP(bytes(one))) for one in fragment(left, fragsize=(mtu - 20) // 8 * 8)]
        assert by_scapy == pieces, name
    if not fields:
        whole = defragment([IP(one) for one in pieces])
        assert [bytes(one.payload) for one in whole] == [bytes(left.payload)], name
    assert all(len(one) <= mtu for one in pieces) and len(pieces) > 1, name
    frame = bytes(Ether(dst=PE_CE_MAC, src=CE_MAC, type=0x0800)) + bytes(came)
    listed = ",\n\t  ".join(f'"{one.hex()}"' for one in pieces)
    return f'\t{{"{name}", {mtu}, {len(pieces)},\n\t "{frame.hex()}",\n\t {{{listed}}}}},\n'


def vectors():
    yield vector("a byte too large", 1400, 1381)
    yield vector("two pieces", 1000, 1480)
    yield vector("a last piece of one byte", 996, 977)
    yield vector("pieces of eight bytes", 28, 100)
    yield vector("an MTU that is no multiple of eight", 603, 1700)
    yield vector("room exact", 596, 3 * 576)
    yield vector("a last piece that is no multiple of eight and full", 600, 576 + 580)
    yield vector("the most pieces", 68, 31 * 48 + 5)
    yield vector("a first fragment", 600, 1480, flags="MF")
    yield vector("a fragment in the middle", 600, 1480, flags="MF", frag=185)
    yield vector("a last fragment", 600, 1003, frag=370)
    route = IPOption_RR(routers=["0.0.0.0"] * 3)
    source = IPOption_LSRR(routers=["10.9.0.3", "10.9.0.4"])
    yield vector("an option not copied", 600, 1400, [route])
    yield vector("an option copied", 600, 1400, [source])
    yield vector("options of both kinds", 600, 1400, [IPOption_NOP(), route, source, IPOption_Router_Alert()])
    yield vector("options that fill the header", 400, 1200, [IPOption_Security(), IPOption_Timestamp(), source])
    yield vector("an unknown option copied", 600, 1400, [IPOption(copy_flag=1, optclass=2, option=30, value=b"abc")])


def main():
    with open(os.path.join(HERE, "fragments.h"), "w", encoding="ascii") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0 */\n")
        out.write("/* Written by fragments.py (Scapy): do not edit. */\n/* clang-format off */\n")
        out.write("#ifndef SEALANE_TEST_FRAGMENTS_H\n#define SEALANE_TEST_FRAGMENTS_H\n\n#include <stdint.h>\n\n")
        out.write("struct vec_fragments {\n\tconst char *name;\n\tuint16_t mtu; /* of the next hop */\n")
        out.write("\tuint16_t count;\n\tconst char *from_ce; /* frame */\n\tconst char *pieces[32]; /* IP packets */\n};\n\n")
        out.write("static const struct vec_fragments vec_fragments[] = {\n")
        out.writelines(vectors())
        out.write("};\n\n#endif\n")


main()
