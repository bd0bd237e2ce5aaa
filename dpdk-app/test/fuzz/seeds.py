#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""First inputs of fuzz/eal_pipeline.c, one file each: seeds.py FOLDER. What a fuzzer finds from them is kept
beside them in corpus/eal_pipeline/ (docs/building.md says how)."""
import sys
from pathlib import Path

SUITES = 14
SPI = (0x89ABCDEF + 1).to_bytes(4, "big")  # of the first inbound SA
RAW_CE, RAW_CORE, FROM_CE, CLEAR, SEALED, KERNEL, CHANGE, BGP = range(8)
MPLS, GRE, IP, NONE = (n << 3 for n in range(4))
TO_CE, TO_CE6, TO_VLAN, TO_CE_B, TUNNEL, TUNNEL_2, CLEAR_TUNNEL, LSP, US, US_B, CORE, GLEAN, DISCARD, REFUSE, MISSING = range(15)


def tables(suite=0, core=0b111100, vrfs=0, six=0, udp=0, esn=0, encap=0, mtu=0, limit=0, to=TO_CE, out=TUNNEL, sp=0):
    sa = suite | six << 4 | encap << 5 | udp << 6 | esn << 7
    octets = [core, vrfs]
    octets += [sa, limit, 0, sa, 15, sp] + [suite, 0, 0, suite, 15, 0]
    octets += [mtu, 0]
    octets += [0xFF, 0x0F, 0x55, 0x11, 0x0F, 0x02]  # accepted sets: all, SP 1, encrypted
    octets += [0x10, 1, 0x20, 1, 0x11, TO_CE, 0x12, LSP, 0x13, 0, 0x30, 1]  # labels: VRF A thrice, next hop, swap, pop
    for family in (0, 128):
        octets += [8 | family | 0, 24, 0x10 | (TO_CE if not family or to != TO_CE else TO_CE6) if to == TO_CE else 0x10 | to]
        octets += [8 | family | 1, 24, 0x10 | out]
        octets += [8 | family | 2, 32 if not family else 128, 0x10 | US]
        octets += [8 | family | 5, 24, 0x10 | GLEAN]
    return bytes(octets)


def frame(kind, inner=1, destination=0, source=1, labels=0, flags=0, sa=0, odd=64, octets=b"", more=2):
    return bytes([kind, inner | destination << 2 | source << 5, labels, flags, sa, odd, len(octets), more]) + octets


def fragment(offset, more, body, protocol=50, ident=7):
    """IPv4 from the core, part of a datagram to us, as a whole frame."""
    ip = bytearray(b"\x45\0" + (20 + len(body)).to_bytes(2, "big") + ident.to_bytes(2, "big"))
    ip += (more << 13 | offset // 8).to_bytes(2, "big") + bytes([60, protocol, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1])
    total = sum(int.from_bytes(ip[i : i + 2], "big") for i in range(0, 20, 2))
    total = (total & 0xFFFF) + (total >> 16)
    ip[10:12] = (0xFFFF - (total & 0xFFFF) - (total >> 16)).to_bytes(2, "big")
    octets = bytes.fromhex("020000000102" "020000000f01" "0800") + ip + body
    return frame(RAW_CORE, 0, octets=octets, more=0)


def seeds():
    parts = [fragment(0, 1, bytes(64)), fragment(64, 1, bytes(64)), fragment(128, 0, bytes(33))]
    yield "fragments", tables() + b"".join(parts)
    yield "fragments-turned", tables() + b"".join(reversed(parts))
    yield "fragments-again", tables() + parts[0] + parts[0] + parts[2] + parts[1]
    yield "fragments-overlap", tables() + parts[0] + fragment(56, 1, bytes(64)) + parts[2]
    yield "fragments-late", tables() + parts[0] + frame(CHANGE, 5, odd=9) + parts[1]
    yield "fragments-gre", tables() + b"".join(fragment(at, at == 0, bytes(range(40)), 47) for at in (0, 40))
    udp = lambda spi, n: bytes.fromhex("11941194") + n.to_bytes(2, "big") + bytes(2) + spi + bytes(n - 12)
    for name, spi in (("esp", SPI), ("ike", bytes(4))):
        whole = udp(spi, 96)
        parts = [fragment(at, int(at < 64), whole[at : at + 32], 17) for at in (0, 32, 64)]
        yield f"fragments-udp-{name}", tables(udp=1) + b"".join(parts)
        yield f"fragments-udp-{name}-turned", tables(udp=1) + b"".join(reversed(parts))
        yield f"fragments-udp-{name}-late", tables(udp=1) + parts[1] + frame(CHANGE, 5, odd=9) + parts[0]
    for suite in range(SUITES):
        for variant in range(4):
            t = tables(suite, core=0b111101, six=variant & 1, udp=variant & 1, esn=variant >> 1, encap=variant & 1)
            way = IP if variant & 1 else GRE
            yield f"sealed-{suite}-{variant}", t + b"".join(frame(SEALED | way, inner=1 + (n & 1)) for n in range(3))
            t = tables(suite, core=0b111110, six=variant & 1, udp=variant >> 1, esn=variant & 1, mtu=variant * 60)
            yield f"out-{suite}-{variant}", t + frame(FROM_CE, destination=1, source=0) + frame(FROM_CE, 2, 1, 0, more=100)
    for label in range(16):
        for way in (MPLS, GRE, IP, NONE):
            for core in (0b111100, 0b101101, 0b001100, 0b100000):
                t = tables(core=core, vrfs=label & 15)
                yield f"clear-{label}-{way}-{core}", t + frame(CLEAR | way, labels=label) + frame(CLEAR | way, 2, labels=label | 16)
    for to in range(15):
        t = tables(to=to, out=to, vrfs=to << 4 & 0x70)
        for odd in (1, 64):
            yield f"to-{to}-{odd}", t + frame(FROM_CE, 1, 1, 0, odd=odd) + frame(FROM_CE, 2, 0, 0, odd=odd) + frame(
                SEALED | GRE, odd=odd) + frame(KERNEL, sa=2, destination=1, source=2) + frame(KERNEL, sa=1)
    for sp in range(3):
        for label in range(6):
            yield f"sp-{sp}-{label}", tables(sp=sp) + frame(SEALED | GRE, labels=label) + frame(SEALED | IP, labels=label)
    for mtu in (1, 60, 255):
        for flags in (0, 128):
            large = dict(destination=1, source=0, flags=flags, more=150)
            yield f"large-{mtu}-{flags}", tables(mtu=mtu) + frame(FROM_CE, **large) + frame(FROM_CE, 2, **large)
    held = tables(out=MISSING) + frame(FROM_CE, 1, 1, 0)
    for what in range(6):
        yield f"change-{what}", held + frame(CHANGE, what, labels=TUNNEL, octets=b"") + frame(FROM_CE, 1, 1, 0) + frame(SEALED | GRE)
    for sa in range(32):
        yield f"bgp-{sa}", tables(core=0b10111100) + frame(BGP, 0, sa=sa) + frame(KERNEL, 1, 4, 3, sa=1, odd=64)
    for inner, hide in ((1, b"\x45" + b"\0" * 19), (0, b"\x60" + b"\0" * 39), (0, b"\x46" + b"\0" * 23)):
        yield f"raw-{inner}-{len(hide)}", tables() + frame(SEALED | GRE, inner, octets=hide) + frame(FROM_CE, inner, octets=hide)
    for end in range(0, 34):  # ends in GRE, in the label, in the inner header: sealed, and in clear
        cut = {"flags": 64, "odd": end, "octets": b""}
        yield f"cut-{end}", tables() + b"".join(frame(kind | GRE | 32, **cut) for kind in (SEALED, CLEAR)) + frame(SEALED | IP | 32, **cut)
    for flags in range(256):
        yield f"odd-{flags}", tables() + frame(SEALED | GRE, flags=flags, odd=flags, octets=b"\x10\x20") + frame(
            CLEAR | GRE | 32, flags=flags, odd=3, octets=b"\1\2") + frame(FROM_CE, 2, 1, 0, flags=flags, odd=44)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, octets in seeds():
        (folder / name).write_bytes(octets)


main()
