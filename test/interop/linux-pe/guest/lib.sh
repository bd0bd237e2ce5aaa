# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The words of a configuration (README.md), sourced by init before the configuration and before every command.
# They only write batches for ip; `apply` carries these out. So keys are never arguments of a process, and a guest
# is configured in a second (starting a program takes 50 ms here, a subshell 30 ms).
batch=/run/batch.$BASHPID

say() { (($#)) && echo "$*" >>"$batch"; }  # a line for ip in the guest's own namespace
mask() { case $1 in *:*) len=128 fam=6 nodad=nodad ;; *) len=32 fam=4 nodad='' ;; esac; }  # of an address

base() {  # what every guest needs, before its NICs are up
  modprobe -a ipv6 vrf ip_gre ip6_gre ipip mpls_router mpls_iptunnel mpls_gso esp4 esp6 xfrm_user dummy veth \
    seqiv echainiv gcm ctr ghash-generic cbc hmac authenc authencesn
  local k p d f
  for k in ipv4.ip_forward=1 ipv4.conf.all.rp_filter=0 ipv4.conf.default.rp_filter=0 mpls.platform_labels=1048575 \
      ipv6.conf.all.forwarding=1 ipv6.conf.default.accept_dad=0 ipv6.conf.default.router_solicitations=0; do
    f=${k%=*}; echo "${k#*=}" >"/proc/sys/net/${f//.//}"
  done
  mkdir -p /run/tunnel
  # Neither GRE nor MPLS-in-IP (137) leaves or is accepted, unless `tunnel` makes a policy that comes before these
  for p in gre 137; do for d in in out; do for f in 0.0.0.0/0 ::/0; do
    say xfrm policy add src $f dst $f proto $p dir $d priority 4000000 action block
  done; done; done
}

# wan NIC ADDR/LEN [GATEWAY]: an address of a NIC; again for another one
wan() {
  mask "$2"; say addr add "$2" dev "$1" $nodad
  [ -z "${3:-}" ] || say route add default via "$3"
}

# sa SRC DST SPI SUITE KEY [OPTION...]: a manual SA in transport mode, from SRC to DST
# KEY: hex without 0x. AEAD: the 4 salt octets last. Else ENCRYPTION:INTEGRITY, or :INTEGRITY.
# OPTION...: more words for ip xfrm state (replay-window, flag esn, limit...)
sa() {
  local src=$1 dst=$2 spi=$3 suite=$4 enc=${5%%:*} auth=${5#*:} alg; shift 5
  case $suite in
    aes-gcm-128|aes-gcm-256) alg="aead rfc4106(gcm(aes)) 0x$enc 128" ;;
    aes-gmac-128|aes-gmac-256) alg="aead rfc4543(gcm(aes)) 0x$enc 128" ;;
    aes-cbc-128-hmac-sha256|aes-cbc-256-hmac-sha256) alg="enc cbc(aes) 0x$enc auth-trunc hmac(sha256) 0x$auth 128" ;;
    aes-cbc-256-hmac-sha384) alg="enc cbc(aes) 0x$enc auth-trunc hmac(sha384) 0x$auth 192" ;;
    aes-cbc-256-hmac-sha512) alg="enc cbc(aes) 0x$enc auth-trunc hmac(sha512) 0x$auth 256" ;;
    chacha20-poly1305) alg="aead rfc7539esp(chacha20,poly1305) 0x$enc 128" ;;
    null-hmac-sha256) alg="enc cipher_null '' auth-trunc hmac(sha256) 0x$auth 128" ;;
    *) echo "sa: no suite $suite" >&2; return 1 ;;
  esac
  say "xfrm state add src $src dst $dst proto esp spi $spi mode transport $alg $*"
}
sa_del() { say xfrm state delete src "$1" dst "$2" proto esp spi "$3"; }  # SRC DST SPI

# tunnel NAME gre|ip esp|clear|ike LOCAL REMOTE MTU [OPTION...]
# MPLS in GRE, or in IP (protocol 137), between LOCAL and REMOTE. esp: both ways only inside an SA; clear: without;
# ike: whatever the policies of an IKE daemon say, nothing before it has any.
# OPTION...: more words for ip link (ttl, tos, key, csum, nopmtudisc...), later ones win
tunnel() {
  local name=$1 encap=$2 mode=$3 local=$4 remote=$5 mtu=$6 type proto out in; shift 6
  mask "$local"
  case $encap$fam in
    gre4) proto=gre type="gre ttl 64" ;;
    gre6) proto=gre type="ip6gre encaplimit none hoplimit 64" ;;
    ip4) proto=137 type="ipip mode mplsip ttl 64" ;;
    ip6) proto=137 type="ip6tnl mode any encaplimit none hoplimit 64" ;;
    *) echo "tunnel: no encapsulation $encap" >&2; return 1 ;;
  esac
  case $mode in
    esp) out="tmpl src $local dst $remote proto esp mode transport" in="tmpl src $remote dst $local proto esp mode transport" ;;
    clear) out="action allow" in=$out ;;
    ike) out='' in='' ;;
    *) echo "tunnel: neither esp, clear nor ike: $mode" >&2; return 1 ;;
  esac
  say addr replace "$local/$len" dev lo $nodad
  if [ "$out" ]; then
    say xfrm policy add src "$local/$len" dst "$remote/$len" proto $proto dir out priority 1000 "$out"
    say xfrm policy add src "$remote/$len" dst "$local/$len" proto $proto dir in priority 1000 "$in"
  fi
  say link add name "$name" type "$type" local "$local" remote "$remote" "$@"
  say link set dev "$name" mtu "$mtu" up
  tunnels+=("$name")
}
# inner TUNNEL ADDRESS NEXT_HOP: an address of this PE inside the tunnel, and one routed into it, which vpn_out uses
# as next hop for prefixes of its family. It must not be the tunnel's REMOTE (a loop), and need not exist there.
inner() {
  mask "$2"; say addr replace "$2/$len" dev lo $nodad
  mask "$3"; say route add "$3/$len" dev "$1" src "$2"
  echo "$3" >"/run/tunnel/$1.$fam"
}

vrf() { say link add name "$1" type vrf table "$2"; say link set dev "$1" up; }  # NAME TABLE
# attach VRF NIC ADDR/LEN...: a NIC becomes the VRF's, with these addresses
attach() {
  local vrf=$1 nic=$2 a; shift 2
  say link set dev "$nic" master "$vrf"; say link set dev "$nic" up
  for a; do mask "$a"; say addr add "$a" dev "$nic" $nodad; done
}
# customer VRF PE_ADDR/LEN HOST_ADDR/LEN: a host in the guest's network namespace ce-VRF; again for another family
customer() {
  local ns=ce-$1 nic=v-$1
  if [ ! -e "/run/netns/$ns" ] && [ ! -e "$batch.$ns" ]; then
    say netns add "$ns"; say link add name "$nic" type veth peer name eth0 netns "$ns"
    printf '%s\n' "link set lo up" "link set eth0 up" >"$batch.$ns"
    attach "$1" "$nic"
  fi
  mask "$2"; say addr add "$2" dev "$nic" $nodad
  printf '%s\n' "addr add $3 dev eth0 $nodad" "route add default via ${2%/*}" >>"$batch.$ns"
}
# vpn_in VRF LABEL: what arrives with this label is looked up in the VRF
vpn_in() { echo "route add $2 dev $1" >>"$batch.mpls"; }
# vpn_out VRF PREFIX LABEL TUNNEL: what the VRF has for this prefix is sent with this label
vpn_out() {
  local nh; mask "$2"; read -r nh <"/run/tunnel/$4.$fam"
  say route add vrf "$1" "$2" encap mpls "$3" via "$nh" dev "$4"
}

run_batch() {  # FILE [OPTION-OF-IP...]
  local f=$1 rc=0 said n; shift
  [ -e "$f" ] || return 0
  ip "$@" -batch "$f" 2>"$f.err" || rc=$?
  if [ $rc != 0 ]; then  # ip names the line; show it, but no key
    said=$(<"$f.err"); n=${said##*:}; n=$(sed -n "${n//[!0-9]/}p" "$f" | sed -E 's/0x[0-9a-fA-F]{16,}/KEY/g')
    printf '%s\n' "$said" "$n" >&2
  fi
  rm -f "$f" "$f.err"; return $rc
}
# Carries out what was said since the last time, in this order: the guest, its customers' namespaces, labels
apply() {
  local f t rc=0
  run_batch "$batch" || return 1
  for t in "${tunnels[@]}"; do echo 1 >"/proc/sys/net/mpls/conf/$t/input"; done; tunnels=()
  for f in "$batch".ce-*; do run_batch "$f" -n "${f#"$batch".}" || rc=1; done
  run_batch "$batch.mpls" -f mpls || rc=1
  return $rc
}
tunnels=()
umask 077
