#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# up.sh FOLDER: makes a Debian 12 machine with FRR 8.4 and strongSwan 5.9 (charon-systemd, strongswan-swanctl) a PE.
# NICs: wan0 to the core, cust0 to the customer. FOLDER has linux.pem, linux.key and provider-ca.pem. As root.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd) FOLDER=$1
umask 022
modprobe -a vrf ip_gre mpls_router mpls_iptunnel mpls_gso esp4 xfrm_user
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
  net.ipv6.conf.default.router_solicitations=0 net.mpls.platform_labels=1048575
# Before IKE has policies, which come before these, no GRE leaves or is taken.
for dir in in out; do
  ip xfrm policy update src 0.0.0.0/0 dst 0.0.0.0/0 proto gre dir $dir priority 4000000 action block
done
ip link set lo up
ip link set wan0 up
ip addr add 192.0.2.2/24 dev wan0
# 1442: label and customer's packet, so that with GRE, ESP (AES-GCM) and IPv4 it is no more than 1500.
ip link add gre1 type gre local 192.0.2.2 remote 192.0.2.1 ttl 64
ip link set gre1 mtu 1442 up
sysctl -qw net.mpls.conf.gre1.input=1
# The next hop of everything behind Sealane (frr.conf). Nobody has the address.
ip addr add 10.255.0.2/32 dev lo
ip route add 10.255.0.1/32 dev gre1 src 10.255.0.2
ip link add blue type vrf table 10
ip link set blue up
ip link set cust0 master blue up
ip addr add 10.2.0.1/24 dev cust0

mkdir -p /etc/swanctl/{x509,x509ca,private}
cp "$FOLDER/linux.pem" /etc/swanctl/x509/
cp "$FOLDER/provider-ca.pem" /etc/swanctl/x509ca/
install -m 600 "$FOLDER/linux.key" /etc/swanctl/private/
cp "$HERE/swanctl.conf" /etc/swanctl/swanctl.conf
cp "$HERE/frr.conf" /etc/frr/frr.conf
chown frr:frr /etc/frr /etc/frr/frr.conf
if [ -d /run/systemd/system ]; then
  sed -i 's/^bgpd=no/bgpd=yes/' /etc/frr/daemons
  systemctl restart strongswan frr
else  # a guest without it
  /usr/sbin/charon-systemd >/dev/null 2>&1 </dev/null &
  for _ in $(seq 600); do [ ! -S /run/charon.vici ] || break; sleep 0.1; done
  swanctl --load-all --noprompt
  mkdir -p /run/frr; chown frr:frr /run/frr
  rm -f /etc/frr/*d.conf; echo 'service integrated-vtysh-config' >/etc/frr/vtysh.conf
  for daemon in zebra bgpd; do /usr/lib/frr/$daemon -d -A 127.0.0.1 >/dev/null 2>&1 </dev/null; done
  vtysh -b
fi
