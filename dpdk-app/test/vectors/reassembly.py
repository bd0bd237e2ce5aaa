#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes reassembly.h: tunnel packets from the remote PE, cut by Scapy as routers of the core would (`fragment`,
`fragment6`), and what the customer gets of each. The packets are those of generate.py.

    /usr/bin/python3 dpdk-app/test/vectors/reassembly.py

The output is committed; running it again must not change it.
"""
import os
import sys

from scapy.layers.inet import IP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, fragment6
from scapy.packet import Raw

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import generate as g  # noqa: E402


def cut4(wire, size):
    whole = IP(wire)
    whole.flags, whole.id = 0, 0x5A5A
    return [bytes(IP(bytes(one))) for one in fragment(whole, fragsize=size)]


def cut6(wire, size, options):
    whole = IPv6(wire)
    head = IPv6(src=whole.src, dst=whole.dst, hlim=whole.hlim, tc=whole.tc, nh=60 if options else 44)
    middle = IPv6ExtHdrDestOpt(nh=44) if options else None
    mark = IPv6ExtHdrFragment(nh=whole.nh, id=0x12345678)
    body = Raw(bytes(whole.payload))
    packet = head / middle / mark / body if options else head / mark / body
    return [bytes(one) for one in fragment6(packet, size)]


def in_udp(wire):
    """RFC 3948: over IPv4 without a checksum, over IPv6 with one."""
    whole = IP(wire) if wire[0] >> 4 == 4 else IPv6(wire)
    body = UDP(sport=4500, dport=4500, **({"chksum": 0} if whole.version == 4 else {})) / Raw(bytes(whole.payload))
    whole.remove_payload()
    if whole.version == 4:
        whole.proto = 17
        del whole.len, whole.chksum
    else:
        whole.nh = 17
        del whole.plen
    return bytes(whole / body)


def vector(name, encap, outer, algorithm, family, size, cut_to, options=False, udp=False):
    here, there = g.SITE_HERE[family], g.SITE_THERE[family]
    wire = g.tunnel(
        encap, outer, algorithm, "in", 7, g.LABEL_IN, 20, 0, 0, g.inner(family, there, here, 33, 0, size)
    )
    if udp:
        wire = in_udp(wire)
    pieces = cut4(wire, cut_to) if outer == 4 else cut6(wire, cut_to, options)
    delivered = g.frame(g.CE_MAC, g.PE_CE_MAC, g.inner(family, there, here, 32, 0, size))
    assert 1 < len(pieces) <= 16, (name, len(pieces))
    listed = ",\n\t  ".join(f'"{g.frame(g.PE_CORE_MAC, g.P_MAC, one).hex()}"' for one in pieces)
    kind = 1 if encap == "GRE" else 2
    return f'\t{{"{name}", {kind}, {outer}, {algorithm}, {family}, {len(pieces)}, {int(udp)},\n\t {{{listed}}},\n\t "{delivered.hex()}"}},\n'


def vectors():
    yield vector("two of ESP over IPv4", "GRE", 4, 1, 4, 1000, 800)
    yield vector("sixteen of ESP over IPv4", "GRE", 4, 1, 6, 900, 64)
    yield vector("three of authenticated ESP", "IP", 4, 3, 4, 700, 320)
    yield vector("MPLS-in-GRE in clear", "GRE", 4, 0, 4, 500, 200)
    yield vector("MPLS-in-IP in clear", "IP", 4, 0, 6, 500, 200)
    yield vector("two of ESP over IPv6", "GRE", 6, 1, 4, 1400, 1280)
    yield vector("two of ESP over IPv6, options before", "IP", 6, 2, 6, 1400, 1280, True)
    yield vector("MPLS-in-GRE over IPv6 in clear", "GRE", 6, 0, 6, 1400, 1280)
    yield vector("two of ESP in UDP over IPv4", "GRE", 4, 1, 4, 1000, 800, udp=True)
    yield vector("sixteen of ESP in UDP over IPv4", "IP", 4, 1, 6, 900, 64, udp=True)
    yield vector("three of authenticated ESP in UDP", "IP", 4, 3, 4, 700, 320, udp=True)
    yield vector("two of ESP in UDP over IPv6", "GRE", 6, 1, 4, 1400, 1280, udp=True)
    yield vector("two of ESP in UDP over IPv6, options before", "IP", 6, 2, 6, 1400, 1280, True, True)


def main():
    with open(os.path.join(g.HERE, "reassembly.h"), "w", encoding="ascii") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0 */\n")
        out.write("/* Written by reassembly.py (Scapy, OpenSSL): do not edit. */\n/* clang-format off */\n")
        out.write("#ifndef SEALANE_TEST_REASSEMBLY_H\n#define SEALANE_TEST_REASSEMBLY_H\n\n#include <stdint.h>\n\n")
        out.write("struct vec_reassembly {\n\tconst char *name;\n\tuint8_t encap, outer, algorithm, inner, count, udp;\n")
        out.write("\tconst char *pieces[16]; /* frames from the core */\n\tconst char *to_ce;\n};\n\n")
        out.write("static const struct vec_reassembly vec_reassemblies[] = {\n")
        out.writelines(vectors())
        out.write("};\n\n#endif\n")


main()
