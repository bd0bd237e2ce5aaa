# SPDX-License-Identifier: Apache-2.0
"""A host behind a VLAN, by Scapy: this machine's kernel has no VLAN devices.

tagged.py INTERFACE VLAN ADDRESS ROUTER OCTETS: asks for the router's MAC address, pings it by an IP packet of so many
octets, and prints VLAN and length of the IP packet of each answer that has the request's data.
"""
import sys
from scapy.all import ARP, ICMP, IP, Dot1Q, Ether, Raw, conf, srp1

interface, vlan, address, router, octets = sys.argv[1], int(sys.argv[2]), *sys.argv[3:5], int(sys.argv[5])
conf.verb = 0
MAC = "02:00:5e:00:53:64"
tag = Dot1Q(vlan=vlan)
who = Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") / tag / ARP(hwsrc=MAC, psrc=address, pdst=router)
answer = srp1(who, iface=interface, timeout=5, retry=3)
if answer is None:
    sys.exit("no ARP reply")
data = bytes(i & 255 for i in range(octets - 28))
echo = Ether(src=MAC, dst=answer.hwsrc) / tag / IP(src=address, dst=router, flags="DF") / ICMP(id=1) / Raw(data)
reply = srp1(echo, iface=interface, timeout=5, retry=3)
if reply is None:
    sys.exit("no echo reply")
if reply[Raw].load[: len(data)] != data or reply[ICMP].type != 0:
    sys.exit("another answer")
print(reply[Dot1Q].vlan, reply[IP].len)
