#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes too_big.h: what routers of the core may say of a tunnel packet that was too large, and what becomes of it.

Messages and what they quote are built by Scapy from fields, so checksums are Scapy's own, those of RFC 4884
too. Nothing of Sealane takes part. The SAs are those of eal_too_big.c.

    /usr/bin/python3 dpdk-app/test/vectors/too_big.py

The output is committed; running it again must not change it.
"""
import os

from scapy.layers.inet import GRE, ICMP, IP, UDP, IPOption_NOP, IPOption_Router_Alert
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6,
                                IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN)
from scapy.layers.ipsec import ESP
from scapy.packet import Raw

HERE = os.path.dirname(os.path.abspath(__file__))
FOUR = {"src": "192.0.2.1", "dst": "192.0.2.2"}  # the tunnel's, of world.h
SIX = {"src": "2001:db8:f::1", "dst": "2001:db8:f::2"}
ROUTER4, ROUTER6 = "198.51.100.9", "2001:db8:ffff::9"
SPI, SPI_UDP, SPI_SIX, SPI_MANUAL = 0x1F2E3D4C, 0x2F2E3D4C, 0x3F2E3D4C, 0x4F2E3D4C
SEQUENCE = 5000  # the last one that each of the SAs has sent
DATA = bytes(range(256)) * 6


def esp(spi=SPI, seq=SEQUENCE, data=DATA[:1400]):
    return ESP(spi=spi, seq=seq, data=data)


def four(upper, **fields):
    return IP(**{**FOUR, "flags": "DF", "ttl": 60, "id": 0, "proto": 50, **fields}) / upper


def six(upper, nh=50, **fields):
    return IPv6(**{**SIX, "hlim": 60, "nh": nh, **fields}) / upper


def udp(spi=SPI_UDP, sport=4500, dport=4500, **fields):
    return UDP(sport=sport, dport=dport, chksum=0) / Raw(bytes(esp(spi, **fields)))


def say4(quoted, mtu=1400, keep=548, kind=(3, 4), to="192.0.2.1", whole=None, **fields):
    """`keep`: bytes quoted; `whole`: those bytes in the place of it."""
    quote = bytes(quoted)[:keep] if whole is None else whole
    return IP(src=ROUTER4, dst=to, ttl=61) / ICMP(type=kind[0], code=kind[1], nexthopmtu=mtu, **fields) / Raw(quote)


def say6(quoted, mtu=1400, keep=1232, message=ICMPv6PacketTooBig, **fields):
    more = {"mtu": mtu} if message is ICMPv6PacketTooBig else {}
    return IPv6(src=ROUTER6, dst=SIX["src"], hlim=61) / message(**more, **fields) / Raw(bytes(quoted)[:keep])


def extended(quoted, words, bad=False):
    """RFC 4884: the quote padded to 128 bytes at least, then an extension structure with one object."""
    quote = bytes(quoted)[: words * 4].ljust(words * 4, b"\0")
    extension = bytes.fromhex("2000dfff" if not bad else "2000ffff") + bytes.fromhex("00080101") + b"\0\x01\x11\xff"
    head = say4(None, whole=quote + extension)
    head[ICMP].length = words
    return head


PUNTED, BELIEVED = "PUNTED", "BELIEVED"


def vectors():
    say = four(esp())
    yield "a router's, 548 bytes quoted", say4(say), BELIEVED, 1400
    yield "eight bytes behind the header (RFC 792)", say4(say, keep=28), BELIEVED, 1400
    yield "seven bytes", say4(say, keep=27), "too_big_quote", 0
    yield "three bytes", say4(say, keep=23), "too_big_quote", 0
    yield "the header alone", say4(say, keep=20), "too_big_quote", 0
    yield "less than a header", say4(say, keep=19), PUNTED, 0
    yield "nothing quoted", say4(say, keep=0), PUNTED, 0
    yield "with extensions (RFC 4884)", extended(say, 32), BELIEVED, 1400
    yield "with wrong extensions", extended(say, 32, bad=True), BELIEVED, 1400
    short = extended(say, 32)
    short[ICMP].length = 5
    yield "of which five words are said to be the quote", short, "too_big_quote", 0
    long = say4(say, keep=28)
    long[ICMP].length = 8
    yield "of which more are said to be the quote than there are", long, "too_big_quote", 0
    yield "a wrong checksum", say4(say, chksum=0x1234), "too_big_quote", 0
    yield "options in the quote", say4(four(esp(), options=[IPOption_Router_Alert()])), "too_big_quote", 0
    yield "options and no ESP", say4(four(esp(), options=[IPOption_NOP()] * 4), keep=24), "too_big_quote", 0
    yield "without DF", say4(four(esp(), flags=0)), "too_big_quote", 0
    yield "a first fragment", say4(four(esp(), flags="DF+MF")), "too_big_quote", 0
    yield "a later fragment", say4(four(esp(), frag=100)), "too_big_quote", 0
    yield "another TTL, DSCP and identification", say4(four(esp(), ttl=1, tos=0xB8, id=77)), BELIEVED, 1400
    yield "an IPv6 header in ICMP", say4(six(esp(SPI_SIX))), PUNTED, 0

    yield "another SPI", say4(four(esp(SPI ^ 1))), "too_big_no_sa", 0
    yield "the SPI in another byte order", say4(four(esp(0x4C3D2E1F))), "too_big_no_sa", 0
    yield "another destination", say4(four(esp(), dst="192.0.2.3")), "too_big_no_sa", 0
    yield "another source", say4(four(esp(), src="192.0.2.9")), "too_big_address", 0
    yield "not to the quoted source", say4(say, to="192.0.2.77"), "too_big_address", 0
    yield "an SPI anyone may know", say4(four(esp(SPI_MANUAL))), "too_big_spi", 0
    yield "one not sent yet", say4(four(esp(seq=SEQUENCE + 1))), "too_big_sequence", 0
    yield "number 0", say4(four(esp(seq=0))), "too_big_sequence", 0
    yield "one of the other half", say4(four(esp(seq=0x80000000))), "too_big_sequence", 0
    yield "sent before", say4(four(esp(seq=1000))), "too_big_sequence", 0
    yield "the first after that", say4(four(esp(seq=1001))), BELIEVED, 1400

    yield "the floor", say4(say, 1280), BELIEVED, 1280
    yield "below the floor", say4(say, 1279), "too_big_floor", 0
    yield "68 bytes", say4(say, 68), "too_big_floor", 0
    yield "no MTU, of a router before RFC 1191", say4(say, 0), "too_big_floor", 0
    size = len(say)
    yield "a byte less than the packet", say4(say, size - 1), BELIEVED, size - 1
    yield "as large as the packet", say4(say, size), "too_big_size", 0
    yield "65535 bytes", say4(say, 65535), "too_big_size", 0

    yield "ESP in UDP", say4(four(udp(), proto=17)), BELIEVED, 1400
    yield "ESP in UDP, 36 bytes", say4(four(udp(), proto=17), keep=36), BELIEVED, 1400
    yield "ESP in UDP, 35 bytes", say4(four(udp(), proto=17), keep=35), "too_big_quote", 0
    yield "ESP in UDP, the SPI cut off", say4(four(udp(), proto=17), keep=31), PUNTED, 0
    yield "ESP in UDP, the ports alone", say4(four(udp(), proto=17), keep=28), PUNTED, 0
    yield "ESP in UDP, from another port", say4(four(udp(sport=4501), proto=17)), "too_big_address", 0
    yield "ESP in UDP, to another port", say4(four(udp(dport=4501), proto=17)), "too_big_address", 0
    yield "ESP in UDP of an SA that is not", say4(four(udp(SPI), proto=17)), "too_big_address", 0
    yield "ESP of an SA in UDP", say4(four(esp(SPI_UDP))), "too_big_address", 0
    yield "IKE", say4(four(UDP(sport=4500, dport=4500) / Raw(bytes(4) + DATA[:1400]), proto=17)), PUNTED, 0
    yield "IKE on 500", say4(four(UDP(sport=500, dport=500) / Raw(DATA[:1400]), proto=17)), PUNTED, 0
    yield "MPLS in GRE", say4(four(GRE(proto=0x8847) / Raw(DATA[:1400]), proto=47)), "too_big_clear", 0
    yield "MPLS in IP", say4(four(Raw(DATA[:1400]), proto=137)), "too_big_clear", 0
    yield "GRE, the header alone", say4(four(GRE() / Raw(DATA), proto=47), keep=20), "too_big_clear", 0
    yield "TCP", say4(four(Raw(DATA[:1400]), proto=6)), PUNTED, 0

    for kind in [(3, 0), (3, 1), (3, 2), (3, 3), (3, 13), (4, 0), (11, 0), (11, 1), (12, 0), (5, 1)]:
        yield f"type {kind[0]}, code {kind[1]}", say4(say, kind=kind), PUNTED, 0

    say = six(esp(SPI_SIX))
    yield "IPv6", say6(say), BELIEVED, 1400
    yield "IPv6, another code", say6(say, code=7), BELIEVED, 1400
    yield "IPv6, eight bytes behind the header", say6(say, keep=48), BELIEVED, 1400
    yield "IPv6, seven bytes", say6(say, keep=47), "too_big_quote", 0
    yield "IPv6, less than a header", say6(say, keep=39), PUNTED, 0
    yield "IPv6, a wrong checksum", say6(say, cksum=0x1234), "too_big_quote", 0
    yield "IPv6, another SPI", say6(six(esp(SPI_SIX ^ 256))), "too_big_no_sa", 0
    yield "IPv6, the SPI of the other family", say6(six(esp(SPI))), "too_big_no_sa", 0
    yield "IPv6, another source", say6(six(esp(SPI_SIX), src="2001:db8:f::9")), "too_big_address", 0
    yield "IPv6, not sent yet", say6(six(esp(SPI_SIX, seq=SEQUENCE + 1))), "too_big_sequence", 0
    yield "IPv6, below the floor", say6(say, 1279), "too_big_floor", 0
    yield "IPv6, as large as the packet", say6(say, len(say)), "too_big_size", 0
    yield "IPv6, more than 16 bits", say6(say, 0x10000 + 1400), "too_big_size", 0
    yield "IPv6, MPLS in GRE", say6(six(GRE(proto=0x8847) / Raw(DATA[:1400]), nh=47)), "too_big_clear", 0
    # no packet of a tunnel has such headers, and no kernel here finds anything of its own behind them
    hop = IPv6ExtHdrHopByHop(nh=50, options=[PadN(optdata=b"\0" * 4)])
    yield "IPv6, hop-by-hop options in the quote", say6(six(hop / esp(SPI_SIX), nh=0)), PUNTED, 0
    options = IPv6ExtHdrDestOpt(nh=50, options=[PadN(optdata=b"\0" * 4)])
    yield "IPv6, destination options in the quote", say6(six(options / esp(SPI_SIX), nh=60)), PUNTED, 0
    yield "IPv6, a fragment in the quote", say6(six(IPv6ExtHdrFragment(nh=50, m=1) / esp(SPI_SIX), nh=44)), PUNTED, 0
    for message, name in [(ICMPv6DestUnreach, "unreachable"), (ICMPv6TimeExceeded, "time exceeded"),
                          (ICMPv6ParamProblem, "parameter problem")]:
        yield f"IPv6, {name}", say6(say, message=message), PUNTED, 0


def main():
    with open(os.path.join(HERE, "too_big.h"), "w", encoding="ascii") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0 */\n")
        out.write("/* Written by too_big.py (Scapy): do not edit. */\n/* clang-format off */\n")
        out.write("#ifndef SEALANE_TEST_TOO_BIG_H\n#define SEALANE_TEST_TOO_BIG_H\n\n")
        out.write(f"#define VEC_SPI_UDP {SPI_UDP:#x}u\n#define VEC_SPI_SIX {SPI_SIX:#x}u\n")
        out.write(f"#define VEC_SPI_MANUAL {SPI_MANUAL:#x}u\n#define VEC_SEQUENCE {SEQUENCE}u\n\n")
        out.write("/* `reason`: it is dropped; none: believed if it has an `mtu`, else given to the kernel. */\n")
        out.write("struct vec_too_big {\n\tconst char *name, *packet;\n")
        out.write("\tenum sl_drop_reason reason;\n\tuint16_t mtu;\n};\n\n")
        out.write("static const struct vec_too_big vec_too_big[] = {\n")
        for name, packet, outcome, mtu in vectors():
            reason = "none" if outcome in (PUNTED, BELIEVED) else outcome
            out.write(f'\t{{"{name}",\n\t "{bytes(packet).hex()}",\n\t SL_DROP_{reason}, {mtu}}},\n')
        out.write("};\n\n#endif\n")


main()
