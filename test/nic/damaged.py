# SPDX-License-Identifier: Apache-2.0
"""Frames whose IPv4 header checksum is wrong, by Scapy.

damaged.py INTERFACE MAC VLAN SOURCE DESTINATION COUNT: as many to this MAC address, with a tag if VLAN is not 0.
"""
import sys
from scapy.all import IP, UDP, Dot1Q, Ether, sendp

interface, mac, vlan, source, destination, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:6], int(sys.argv[6])
front = Ether(src="02:00:5e:00:53:65", dst=mac)
if vlan:
    front /= Dot1Q(vlan=vlan)
good = IP(bytes(IP(src=source, dst=destination) / UDP(sport=9, dport=9) / bytes(64)))
good.chksum ^= 0x0101
sendp([front / good] * count, iface=interface, verbose=False)
