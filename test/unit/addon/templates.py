# SPDX-License-Identifier: Apache-2.0
"""The templates that template_dump prints, built with Scapy. One JSON object per line, in and out.

Scapy knows nothing of templates: it builds the headers of a packet, and the fields that the worker
fills per packet (lengths, checksum, sequence number, IV, label, TTL of the label) are set to 0.
"""
import json
import sys

from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP
from scapy.layers.l2 import GRE, Dot1Q, Ether

PROTOCOL = {"gre": 47, "ip": 137}


def ones_complement(data):
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def outer(case):
    protocol = 50 if case["esp"] else PROTOCOL[case["encap"]]
    if case["family"] == 4:
        return IP(
            tos=case["dscp"] << 2, len=0, id=0, flags="DF", ttl=61, proto=protocol, chksum=0,
            src="32.33.34.35", dst="224.223.222.221",
        )
    source = bytes(0x20 + i for i in range(16)).hex()
    destination = bytes(0xE0 - i for i in range(16)).hex()
    colons = lambda text: ":".join(text[i : i + 4] for i in range(0, 32, 4))
    return IPv6(
        tc=case["dscp"] << 2, fl=0xABCDE, plen=0, nh=protocol, hlim=61,
        src=colons(source), dst=colons(destination),
    )


def build(case):
    layers = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
    if case["vlan"]:
        layers /= Dot1Q(vlan=100)
    # Scapy sets the EtherType by what follows.
    link = bytes(layers / outer(case))[: 18 if case["vlan"] else 14]
    ip = bytes(outer(case))
    esp = bytes(ESP(spi=0xCAFE1234, seq=0)) + bytes(8) if case["esp"] else b""
    gre = bytes(GRE(proto=0x8847)) if case["encap"] == "gre" else b""
    label = bytes(MPLS(label=0, cos=0, s=1, ttl=0))
    offset = lambda part, at: at if part else 0
    return {
        "hex": (link + ip + esp + gre + label).hex(),
        "ipOff": len(link),
        "espOff": offset(esp, len(link + ip)),
        "greOff": offset(gre, len(link + ip + esp)),
        "labelOff": len(link + ip + esp + gre),
        "ip4Sum": ones_complement(ip) if case["family"] == 4 else 0,
    }


for line in sys.stdin:
    print(json.dumps(build(json.loads(line))))
