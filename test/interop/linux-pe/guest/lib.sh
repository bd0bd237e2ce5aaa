# shellcheck shell=bash
# The words of a configuration (README.md), sourced by init before it and before every command.
# Keys are never arguments of a process: `sa` only writes a batch, which `apply` gives to ip as a file.
batch=/run/sa.$BASHPID

base() {  # what every guest needs, before its NICs are up
  modprobe -a ipv6 vrf ip_gre ip6_gre ipip mpls_router mpls_iptunnel mpls_gso esp4 esp6 xfrm_user dummy veth \
    seqiv echainiv gcm ctr ghash-generic cbc hmac authenc authencesn
  sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
    net.mpls.platform_labels=1048575 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0 \
    net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
  mkdir -p /run/tunnel
  # Neither GRE nor MPLS-in-IP (137) leaves or is accepted, unless `tunnel` makes a policy that comes before these
  local p d f
  for p in gre 137; do for d in in out; do for f in 0.0.0.0/0 ::/0; do
    ip xfrm policy add src $f dst $f proto $p dir $d priority 4000000 action block
  done; done; done
}
host() { case $1 in *:*) echo "$1/128" ;; *) echo "$1/32" ;; esac; }  # an address as a prefix
family() { case $1 in *:*) echo 6 ;; *) echo 4 ;; esac; }

# wan NIC ADDR/LEN [GATEWAY]: an address of a NIC; again for another one
wan() {
  ip addr add "$2" dev "$1"
  [ -z "${3:-}" ] || ip route add default via "$3"
}

# tunnel NAME gre|ip esp|clear LOCAL REMOTE MTU [OPTION...]
# MPLS in GRE, or in IP (protocol 137), between LOCAL and REMOTE. esp: both ways only inside an SA; clear: without.
# OPTION...: more words for ip link (ttl, tos, key, csum, nopmtudisc...)
tunnel() {
  local name=$1 encap=$2 mode=$3 local=$4 remote=$5 mtu=$6 type proto out in; shift 6
  case $encap$(family "$local") in
    gre4) proto=gre type="gre ttl 64" ;;
    gre6) proto=gre type="ip6gre encaplimit none hoplimit 64" ;;
    ip4) proto=137 type="ipip mode mplsip ttl 64" ;;
    *) echo "tunnel $name: Linux has no MPLS in IPv6 but by GRE" >&2; return 1 ;;
  esac
  case $mode in
    esp) out="tmpl src $local dst $remote proto esp mode transport" in="tmpl src $remote dst $local proto esp mode transport" ;;
    clear) out="action allow" in=$out ;;
  esac
  ip addr replace "$(host "$local")" dev lo
  # shellcheck disable=SC2086
  ip xfrm policy add src "$(host "$local")" dst "$(host "$remote")" proto $proto dir out priority 1000 $out
  # shellcheck disable=SC2086
  ip xfrm policy add src "$(host "$remote")" dst "$(host "$local")" proto $proto dir in priority 1000 $in
  # shellcheck disable=SC2086
  ip link add "$name" type $type local "$local" remote "$remote" "$@"
  ip link set "$name" mtu "$mtu" up
  sysctl -q -w "net.mpls.conf.$name.input=1"
}
# inner TUNNEL ADDRESS NEXT_HOP: an address of this PE inside the tunnel, and one routed into it, which vpn_out uses
# as next hop for prefixes of its family. It must not be the tunnel's REMOTE (a loop), and need not exist there.
inner() {
  ip addr replace "$(host "$2")" dev lo
  ip route add "$(host "$3")" dev "$1" src "$2"
  echo "$3" >"/run/tunnel/$1.$(family "$3")"
}

# sa SRC DST SPI SUITE KEY [OPTION...]: a manual SA in transport mode, from SRC to DST; `apply` makes it work.
# KEY: hex without 0x. AEAD: the 4 salt octets last. Else ENCRYPTION:INTEGRITY, or :INTEGRITY.
# OPTION...: more words for ip xfrm state (replay-window, flag esn, limit...)
sa() {
  local src=$1 dst=$2 spi=$3 suite=$4 enc=${5%%:*} auth=${5#*:} alg; shift 5
  case $suite in
    aes-gcm-128|aes-gcm-256) alg="aead rfc4106(gcm(aes)) 0x$enc 128" ;;
    aes-gmac-128|aes-gmac-256) alg="aead rfc4543(gcm(aes)) 0x$enc 128" ;;
    aes-cbc-128-hmac-sha256|aes-cbc-256-hmac-sha256) alg="enc cbc(aes) 0x$enc auth-trunc hmac(sha256) 0x$auth 128" ;;
    null-hmac-sha256) alg="enc cipher_null '' auth-trunc hmac(sha256) 0x$auth 128" ;;
    *) echo "sa: no suite $suite" >&2; return 1 ;;
  esac
  (umask 077; echo "xfrm state add src $src dst $dst proto esp spi $spi mode transport $alg $*" >>"$batch")
}
sa_del() { ip xfrm state delete src "$1" dst "$2" proto esp spi "$3"; }  # SRC DST SPI
apply() {
  [ -e "$batch" ] || return 0
  local rc=0; ip -batch "$batch" || rc=$?
  rm -f "$batch"; return $rc
}

vrf() { ip link add "$1" type vrf table "$2"; ip link set "$1" up; }  # NAME TABLE
# attach VRF NIC ADDR/LEN...: a NIC becomes the VRF's, with these addresses
attach() {
  local vrf=$1 nic=$2 a; shift 2
  ip link set "$nic" master "$vrf"; ip link set "$nic" up
  for a; do ip addr add "$a" dev "$nic"; done
}
# customer VRF PE_ADDR/LEN HOST_ADDR/LEN: a host in the guest's network namespace ce-VRF; again for another family
customer() {
  local ns=ce-$1 nic=v-$1
  if ! ip link show "$nic" >/dev/null 2>&1; then
    ip netns add "$ns"; ip link add "$nic" type veth peer name eth0 netns "$ns"
    ip netns exec "$ns" sysctl -q -w net.ipv6.conf.eth0.accept_dad=0
    ip -n "$ns" link set lo up; ip -n "$ns" link set eth0 up
    attach "$1" "$nic"
  fi
  ip addr add "$2" dev "$nic"
  ip -n "$ns" addr add "$3" dev eth0; ip -n "$ns" route add default via "${2%/*}"
}
# vpn_in VRF LABEL: what arrives with this label is looked up in the VRF
vpn_in() { ip -f mpls route add "$2" dev "$1"; }
# vpn_out VRF PREFIX LABEL TUNNEL: what the VRF has for this prefix is sent with this label
vpn_out() {
  local nh; nh=$(cat "/run/tunnel/$4.$(family "$2")")
  ip route add vrf "$1" "$2" encap mpls "$3" via "$nh" dev "$4"
}
