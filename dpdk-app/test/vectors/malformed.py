#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes malformed.h: frames with every IPv4 option, chains of IPv6 extension headers, label stacks, and what
becomes of each.

Frames are Scapy's (Debian: python3-scapy); what is expected is written here from RFC 791, 8200, 4302, 3032 and
docs/packet-path.md, and not from the worker's code. Run with the system's Python:

    /usr/bin/python3 dpdk-app/test/vectors/malformed.py

The output is committed; running it again must not change it.
"""
import itertools
import os

from scapy.compat import raw
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Pad1,
    PadN,
)
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Raw

HERE = os.path.dirname(os.path.abspath(__file__))
CE = dict(src="02:00:00:00:0c:01", dst="02:00:00:00:01:01")
CORE = dict(src="02:00:00:00:0f:01", dst="02:00:00:00:01:02")
FRONT = dict(src="10.1.1.1", dst="10.1.1.7")  # CE to CE of one VRF
BACK = dict(src="10.2.2.2", dst="10.1.1.7")  # from the other site
LOCAL, REMOTE = {4: "192.0.2.1", 6: "2001:db8:f::1"}, {4: "192.0.2.2", 6: "2001:db8:f::2"}
LABEL_ALL, LABEL_UNKNOWN = 100001, 100009


def out(names, frame, outcome):
    return f'\t{{"{names}", {outcome}, "{raw(frame).hex()}"}},'


def options4():
    """Each type as a router meets it: alone, with data, and lying about its length. None is looked at (RFC 791
    3.1 has them for hosts and gateways that know them): the packet is forwarded, the options as they were."""
    for kind in range(256):
        for name, option in (
            ("alone", bytes([kind])),
            ("empty", bytes([kind, 2])),
            ("eight", bytes([kind, 8, 4, 10, 0, 0, 1, 0])),
            ("longer than the header", bytes([kind, 255])),
            ("of length 0", bytes([kind, 0])),
        ):
            if name not in ("alone", "eight") and kind not in (0, 1, 7, 68, 131, 137, 148, 255):
                continue
            option += bytes(-len(option) % 4)
            header = bytearray(raw(IP(**FRONT, ttl=9, proto=17, ihl=5, flags="DF")))[:20] + option
            header[0] = 0x40 | 5 + len(option) // 4
            header[2:4] = (len(header) + 7).to_bytes(2, "big")
            header[10:12] = b"\0\0"
            packet = IP(bytes(header) + b"payload")
            del packet.chksum
            yield out(f"option {kind} {name}", Ether(**CE, type=0x800) / Raw(raw(packet)), "TO_CE")


# name, Next Header value of the header itself, octets of one such header with `next` in it
def extensions():
    def bytes_of(header):
        return lambda following: bytes([following]) + raw(header)[1:]

    skip = IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))])
    return {
        "hbh": (0, bytes_of(skip), "walk-first"),
        "hbh-unknown": (0, bytes_of(Raw(bytes([0, 0, 0xC2, 4, 0, 0, 0, 0]))), "stop"),
        "dst": (60, bytes_of(IPv6ExtHdrDestOpt(options=[Pad1(), Pad1(), PadN(optdata=b"12")])), "walk"),
        "dst-long": (60, bytes_of(Raw(bytes([0, 200, 1, 4, 0, 0, 0, 0]))), "stop"),
        "route-0": (43, bytes_of(IPv6ExtHdrRouting(type=2, segleft=0, addresses=[])), "walk"),
        "route-1": (43, bytes_of(IPv6ExtHdrRouting(type=2, segleft=1, addresses=["2001:db8::9"])), "stop"),
        "atomic": (44, bytes_of(IPv6ExtHdrFragment(offset=0, m=0)), "end-whole"),
        "first": (44, bytes_of(IPv6ExtHdrFragment(offset=0, m=1)), "end-first"),
        "later": (44, bytes_of(IPv6ExtHdrFragment(offset=9, m=0)), "end"),
        # not walked, because what is behind is for the kernel alone: the protocol is theirs
        "ah": (51, bytes_of(Raw(bytes([0, 4]) + bytes(22))), "upper"),
        "mobility": (135, bytes_of(Raw(bytes(8))), "upper"),
    }


def walk(chain, upper):
    """(protocol, part of a datagram) of a chain, None when a header in it is not walked."""
    for place, (name, (number, _, how)) in enumerate(chain):
        following = chain[place + 1][1][0] if place + 1 < len(chain) else upper
        if how == "upper":
            return number, False
        if how == "stop" or (how == "walk-first" and place != 0) or place == 8:
            return None
        if how.startswith("end"):
            return following, how != "end-whole"
    return upper, False


def outcome_at_core(found):
    """What a core interface that takes nothing in clear does with a packet for us. A part of an ESP packet waits for
    the others; one that is whole although it has a Fragment header does not (RFC 6946)."""
    if found is None or found[0] not in (47, 50, 137):
        return "PUNTED"
    protocol, part = found
    if protocol == 50 and part:
        return "HELD"
    return {47: "SL_DROP_gre_clear", 50: "SL_DROP_esp_unknown_spi", 137: "SL_DROP_mpls_in_ip_clear"}[protocol]


def chains6():
    kinds = list(extensions().items())
    upper_of = {50: bytes(range(32)), 47: raw(GRE(proto=0x8847)) + bytes(8), 137: raw(MPLS(label=LABEL_ALL, s=1)) + bytes(20),
                17: raw(UDP(sport=500, dport=500) / Raw(b"ike"))}
    chosen = [list(c) for n in (0, 1, 2) for c in itertools.product(kinds, repeat=n)]
    dst = ("dst", extensions()["dst"])
    chosen += [[dst] * n for n in range(3, 12)]
    chosen += [[("hbh", extensions()["hbh"])] + [dst] * n + [("first", extensions()["first"])] for n in (6, 7, 8)]
    for chain in chosen:
        for upper, octets in upper_of.items():
            body = octets
            following = upper
            for _, (number, header, _) in reversed(chain):
                body = header(following) + body
                following = number
            packet = IPv6(src=REMOTE[6], dst=LOCAL[6], nh=following, plen=len(body), hlim=64) / Raw(body)
            name = "-".join([n for n, _ in chain] + [str(upper)])
            yield out(f"core {name}", Ether(**CORE, type=0x86DD) / packet, outcome_at_core(walk(chain, upper)))
            if upper == 17:  # what transits a VRF is forwarded whatever it carries
                packet.src, packet.dst = "2001:db8:a::1", "2001:db8:a::7"
                yield out(f"ce {name}", Ether(**CE, type=0x86DD) / packet, "TO_CE")


def stacks():
    """Stacks of all depths in all encapsulations, from an interface of the own SP that accepts all."""
    inner = raw(IP(**BACK, ttl=9, flags="DF") / UDP() / Raw(b"payload"))
    for way, depth, bottom, top in itertools.product(("mpls", "gre", "ip"), range(11), (True, False), (0, 1, 2, 3, 13, LABEL_ALL)):
        labels = [top] * (depth - 1) + [LABEL_ALL] if depth else []
        entries = b"".join(
            raw(MPLS(label=label, s=int(bottom and place == depth - 1), ttl=64)) for place, label in enumerate(labels)
        )
        # without a bottom nothing else is behind: the stack goes to the end of the frame
        stack = entries + (inner if bottom and depth else b"")
        if way == "mpls":
            frame = Ether(**CORE, type=0x8847) / Raw(stack)
        else:
            protocol = 47 if way == "gre" else 137
            body = (raw(GRE(proto=0x8847)) if way == "gre" else b"") + stack
            frame = Ether(**CORE) / IP(src=REMOTE[4], dst=LOCAL[4], proto=protocol, flags="DF", id=1) / Raw(body)
        yield out(f"stack {way} {depth} {'S' if bottom else '-'} {top}", frame, outcome_of_stack(way, labels, bottom))


def outcome_of_stack(way, labels, bottom):
    """docs/packet-path.md: one entry with S = 1. Above it, in plain MPLS, up to eight explicit nulls."""
    nulls = 0
    if way == "mpls":
        while nulls < len(labels) and labels[nulls] in (0, 2):
            nulls += 1
    if nulls > 8:
        return "SL_DROP_label_stack"
    rest = labels[nulls:]
    if not rest:
        return "SL_DROP_label_truncated"
    if len(rest) > 1 or not bottom:
        return "SL_DROP_label_stack"
    return "TO_CE"


def main():
    text = ["/* SPDX-License-Identifier: Apache-2.0 */", "/* Written by vectors/malformed.py: frames by Scapy, and what becomes of them. */",
            "/* clang-format off */"]
    for name, vectors in (("options4", options4()), ("chains6", chains6()), ("stacks", stacks())):
        text += ["", f"static const struct malformed malformed_{name}[] = {{", *vectors, "};"]
    with open(os.path.join(HERE, "malformed.h"), "w", encoding="ascii") as file:
        file.write("\n".join(text) + "\n")


main()
