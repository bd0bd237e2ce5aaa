# SPDX-License-Identifier: Apache-2.0
"""Packets by Scapy, an implementation of every header that knows nothing of Sealane.

A stack is [[layer, fields]...] from the outside in, e.g. [["IP", {"src": "10.0.0.1"}], ["Raw", "00ff"]].
"""
import socket

from scapy.compat import raw
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP, defragment
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
from scapy.packet import NoPayload, Packet, Raw

# Import registers what Scapy would do by itself only with scapy.all: IPv6 under Ethernet and MPLS.
LAYERS = {
    layer.__name__: layer
    for layer in (
        *(ARP, Dot1AD, Dot1Q, ESP, Ether, GRE, ICMP, IP, IPv6, MPLS, TCP, UDP),
        *(ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6PacketTooBig, ICMPv6TimeExceeded),
        *(IPv6ExtHdrDestOpt, IPv6ExtHdrFragment),
    )
}


def stack(layers):
    packet = None
    for name, fields in layers:
        layer = Raw(bytes.fromhex(fields)) if name == "Raw" else LAYERS[name](**fields)
        packet = layer if packet is None else packet / layer
    return packet


def build(packets):
    return {"frames": [raw(stack(layers)).hex() for layers in packets]}


def association(sa):
    """AES-GCM (RFC 4106) in transport mode; `key` is key and salt, hexadecimal."""
    return SecurityAssociation(
        ESP, spi=sa["spi"], crypt_algo="AES-GCM", crypt_key=bytes.fromhex(sa["key"]), auth_algo="NULL"
    )


def seal(packets):
    """Of each {"ethernet": stack, "packet": stack, "sa": sa, "sequence": n}: the frame with ESP in it."""
    frames = []
    for one in packets:
        sequence = one["sequence"]
        # built first, so that Scapy's own length and checksum fields are set before it is split
        packet = stack(one["packet"])
        packet = type(packet)(raw(packet))
        sealed = association(one["sa"]).encrypt(packet, seq_num=sequence, iv=sequence.to_bytes(8, "big"))
        frames.append(raw(stack(one["ethernet"]) / sealed).hex())
    return {"frames": frames}


def open_esp(packets):
    """Of each {"frame": hex, "sa": sa}: its IP packet, decrypted and verified; raises when it does not verify."""
    opened = []
    for one in packets:
        frame = Ether(bytes.fromhex(one["frame"]))
        packet = frame.getlayer(IP) or frame.getlayer(IPv6)
        opened.append(raw(association(one["sa"]).decrypt(packet)).hex())
    return {"packets": opened}


def plain(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (int, str)) or value is None:
        return value
    return str(value)


def layers_of(packet: Packet):
    found = []
    while not isinstance(packet, NoPayload):
        fields = {name: plain(value) for name, value in packet.fields.items()}
        found.append({"layer": type(packet).__name__, **fields})
        packet = packet.payload
    return found


def dissect(frames):
    return {"layers": [layers_of(LAYERS[first](bytes.fromhex(text))) for first, text in frames]}


assert socket.IPPROTO_ESP == 50


def join(packets):
    """IPv4 fragments, hexadecimal, as one datagram each: in the order of their first pieces."""
    return {"frames": [raw(one).hex() for one in defragment([IP(bytes.fromhex(p)) for p in packets])]}
