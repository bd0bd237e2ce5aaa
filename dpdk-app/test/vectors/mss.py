#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes mss.h: TCP segments of a CE, and the IP packets that leave when their MSS is clamped to an MTU.

Both are built by Scapy from fields, the second with the MSS it has to have, so checksums are Scapy's own.
Nothing of Sealane takes part.

    /usr/bin/python3 dpdk-app/test/vectors/mss.py

The output is committed; running it again must not change it.
"""
import os

from scapy.layers.inet import IP, TCP, IPOption_NOP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN
from scapy.layers.l2 import Ether
from scapy.packet import Raw

HERE = os.path.dirname(os.path.abspath(__file__))
CE_MAC, PE_CE_MAC = "02:00:00:00:0c:01", "02:00:00:00:01:01"
FOUR = {"src": "10.1.1.1", "dst": "10.9.0.2"}  # world.h; 10.9.0.0/24 is the tunnel in clear of scene.h
SIX = {"src": "2001:db8:a::1", "dst": "2001:db8:9::2"}


def four(ttl, **fields):
    return IP(ttl=ttl, id=0x4321, flags=fields.pop("flags", "DF"), **FOUR, **fields)


def six(ttl, *headers):
    whole = IPv6(hlim=ttl, **SIX)
    for header in headers:
        whole = whole / header
    return whole


def tcp(options, flags="S", seq=0x1234567, **fields):
    return TCP(sport=40000, dport=443, seq=seq, flags=flags, options=options, **fields)


def mss(value, *before):
    return [*before, ("MSS", value), ("SAckOK", b""), ("Timestamp", (77, 0)), ("WScale", 7)]


def vector(name, head, before, after=None):
    """`head`: IP header(s) of a TTL. `after`: the segment that has to leave, if not the same one."""
    came, left = bytes(head(64) / before), bytes(head(63) / (after or before))
    frame = bytes(Ether(dst=PE_CE_MAC, src=CE_MAC, type=0x0800 if came[0] >> 4 == 4 else 0x86DD)) + came
    return f'\t{{"{name}",\n\t "{frame.hex()}",\n\t "{left.hex()}"}},\n'


def changed(name, head, options, **fields):
    """`options`: of an MSS; 1460 comes, what fits 1400 bytes leaves."""
    fits = 1360 if head(1).version == 4 else 1340
    return vector(name, head, tcp(options(1460), **fields), tcp(options(fits), **fields))


def kept(name, options, head=four, **fields):
    return vector(name, head, tcp(options, **fields))


def vectors():
    yield changed("SYN over IPv4", four, mss)
    yield changed("SYN/ACK over IPv4", four, mss, flags="SA", ack=99)
    yield changed("SYN with ECN", four, mss, flags="SEC")
    yield changed("SYN over IPv6", six, mss)
    yield changed("SYN/ACK over IPv6", six, mss, flags="SA", ack=99)
    yield changed("MSS at an odd byte", four, lambda value: [("NOP", None), *mss(value)])
    yield changed("MSS at an odd byte over IPv6", six, lambda value: [("NOP", None), *mss(value)])
    yield changed("MSS behind others", four, lambda value: [*mss(1)[1:], ("MSS", value)])
    yield changed("MSS twice", four, lambda value: [("MSS", value), ("MSS", value)])
    data = Raw(b"data of a SYN")  # RFC 7413
    yield vector("with data", four, tcp(mss(1460)) / data, tcp(mss(1360)) / data)
    options = [IPOption_Router_Alert(), IPOption_NOP()]
    yield changed("behind IPv4 options", lambda ttl: four(ttl, options=options), mss)
    headers = (IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]), IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]))
    yield changed("behind IPv6 extension headers", lambda ttl: six(ttl, *headers), mss)
    for seq in (0, 0xFFFF, 0x10000, 0xEDCB0000, 0xFFFFFFFF):  # other checksums
        yield changed(f"sequence number {seq:x}", four, mss, seq=seq)
    signature = lambda value: [("MSS", value), (19, bytes(range(16)))]  # RFC 2385 leaves options out of the digest
    yield changed("with an MD5 signature", four, signature)
    yield vector("a great MSS", four, tcp(mss(0xFFFF)), tcp(mss(1360)))
    yield vector("an MSS a byte too large", four, tcp(mss(1361)), tcp(mss(1360)))

    yield kept("an MSS that fits", mss(1360))
    yield kept("an MSS of a byte less", mss(1359))
    yield kept("a small MSS", mss(536))
    yield kept("a small MSS over IPv6", mss(1340), head=six)
    yield kept("no MSS", [("SAckOK", b""), ("NOP", None), ("NOP", None)])
    yield kept("no options", [])
    yield kept("no SYN", mss(1460), flags="A", ack=99)
    yield kept("RST", mss(1460), flags="R")
    yield kept("an authentication option", [*mss(1460), (29, bytes(14))])
    yield kept("behind the end of the options", [("EOL", None), ("MSS", 1460)])
    yield kept("a first fragment", mss(1460), head=lambda ttl: four(ttl, flags="MF"))
    yield kept("a last fragment", mss(1460), head=lambda ttl: four(ttl, flags=0, frag=100))
    fragment = lambda ttl: six(ttl, IPv6ExtHdrFragment(m=1, id=7, nh=6))
    yield vector("a first fragment over IPv6", fragment, Raw(bytes(tcp(mss(1460), chksum=1))))
    yield kept("an MSS option of five bytes", [(2, b"\x05\xb4\0")])
    yield kept("an option without length", [(3, b"\x07"), ("MSS", 1460)], dataofs=6)
    yield kept("a data offset of 16 bytes", mss(1460), dataofs=4)
    yield kept("a data offset beyond the packet", mss(1460), dataofs=15)
    yield vector("UDP", lambda ttl: four(ttl, proto=17), Raw(bytes(tcp(mss(1460), chksum=1))))
    yield vector("ten bytes of TCP", lambda ttl: four(ttl, proto=6), Raw(bytes(tcp([], chksum=1))[:10]))


def main():
    with open(os.path.join(HERE, "mss.h"), "w", encoding="ascii") as out:
        out.write("/* SPDX-License-Identifier: Apache-2.0 */\n")
        out.write("/* Written by mss.py (Scapy): do not edit. */\n/* clang-format off */\n")
        out.write("#ifndef SEALANE_TEST_MSS_H\n#define SEALANE_TEST_MSS_H\n\n")
        out.write("/* A frame of a CE, and the IP packet that leaves by an MTU of 1400 bytes. */\n")
        out.write("struct vec_mss {\n\tconst char *name, *from_ce, *packet;\n};\n\n")
        out.write("static const struct vec_mss vec_mss[] = {\n")
        out.writelines(vectors())
        out.write("};\n\n#endif\n")


main()
