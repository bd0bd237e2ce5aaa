# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the labs of the examples have in common: namespaces, links, certificates, daemons. Sourced by their lab.sh,
# which has set LAB to the example's name. Needs root and a build (npm run build).
#
# Keys, certificates and logs are in $SEALANE_EXAMPLES/LAB, by default /etc/sealane/examples/LAB: the configurations
# read the same variable.
set -eu
umask 077
export PATH=$PATH:/usr/sbin:/sbin
export SEALANE_EXAMPLES=${SEALANE_EXAMPLES:-/etc/sealane/examples}
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
FOLDER=$SEALANE_EXAMPLES/$LAB

sealane() { node "$ROOT/build/js/cli/main.js" "$@"; }
inside() { local ns=$1; shift; nsenter --net="/run/netns/$ns" -- "$@"; }  # NETNS COMMAND...

# netns NAME...: network namespaces, loopback up
netns() {
  local ns
  for ns; do ip netns add "$ns"; ip -n "$ns" link set lo up; done
}
# link NETNS IF NETNS IF: a veth pair, up; checksums are left to hardware that it has not
link() {
  ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
  local end
  for end in "$1 $2" "$3 $4"; do
    inside "${end% *}" ethtool -K "${end#* }" tx off rx off tso off gso off gro off >/dev/null
    ip -n "${end% *}" link set "${end#* }" up
  done
}
# host NETNS IF ADDRESS/LENGTH GATEWAY: a customer's machine
host() {
  ip -n "$1" addr add "$3" dev "$2" nodad
  ip -n "$1" route add default via "$4"
}

# ca NAME: an authority, NAME-ca.pem and NAME-ca.key
ca() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$FOLDER/$1-ca.key"
  printf '%s\n' '[req]' 'distinguished_name = dn' 'x509_extensions = ca' '[dn]' '[ca]' \
    'basicConstraints = critical,CA:true' 'keyUsage = critical,keyCertSign,cRLSign' \
    'subjectKeyIdentifier = hash' >"$FOLDER/ca.cnf"
  openssl req -x509 -config "$FOLDER/ca.cnf" -key "$FOLDER/$1-ca.key" -days 3650 -subj "/O=$1/CN=$1 CA" \
    -out "$FOLDER/$1-ca.pem"
}
# cert CA NAME ADDRESS: a PE's certificate for its tunnel address, NAME.pem and NAME.key
cert() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$FOLDER/$2.key"
  printf '%s\n' 'basicConstraints = critical,CA:false' 'keyUsage = critical,digitalSignature' \
    'extendedKeyUsage = 1.3.6.1.5.5.7.3.17' 'subjectKeyIdentifier = hash' \
    'authorityKeyIdentifier = keyid' "subjectAltName = IP:$3" >"$FOLDER/$2.ext"
  openssl req -new -key "$FOLDER/$2.key" -subj "/O=$1/CN=$2" -out "$FOLDER/$2.csr"
  openssl x509 -req -in "$FOLDER/$2.csr" -CA "$FOLDER/$1-ca.pem" -CAkey "$FOLDER/$1-ca.key" -CAcreateserial \
    -days 365 -extfile "$FOLDER/$2.ext" -out "$FOLDER/$2.pem" 2>/dev/null
}

# daemon NETNS LOG COMMAND...: in the background, its output in LOG.log. Not `ip netns exec`: in its mount namespace
# the VRFs' namespaces would be seen by nobody else.
daemon() {
  local ns=$1 log=$2; shift 2
  setsid nsenter --net="/run/netns/$ns" -- "$@" </dev/null >"$FOLDER/$log.log" 2>&1 &
  disown
}
# pe NETNS CONFIG [ROUTE...]: starts Sealane; then the core's routes (words of `ip route add`), once it has made its
# interfaces
pe() {
  local ns=$1 config=$2 route n; shift 2
  daemon "$ns" "$ns" node "$ROOT/build/js/cli/main.js" run "$config"
  for route; do
    n=0
    # shellcheck disable=SC2086
    until ip -n "$ns" route replace $route 2>/dev/null; do
      n=$((n + 1)); [ $n -lt 600 ] || { echo "$ns does not come up:" >&2; cat "$FOLDER/$ns.log" >&2; return 1; }
      sleep 0.1
    done
  done
}
# frr_bgpd NETNS CONFIG [ARGUMENT...]: FRR's bgpd; without arguments it leaves the kernel's routes alone.
# `vtysh --vty_socket $FOLDER/NETNS` talks to it.
frr_bgpd() {
  local ns=$1 config=$2; shift 2; [ $# -gt 0 ] || set -- -n -Z
  mkdir -p "$FOLDER/$ns"
  daemon "$ns" "$ns-bgpd" /usr/lib/frr/bgpd -f "$config" -i "$FOLDER/$ns/bgpd.pid" -S --vty_socket "$FOLDER/$ns" \
    -A 127.0.0.1 -P 0 "$@"
}

begin() {  # before `up` makes anything
  down 2>/dev/null || true
  mkdir -p "$FOLDER"
}
# end INSTANCE... -- NETNS...: what `down` does. A PE's VRFs are in namespaces INSTANCE-VRF.
end() {
  local what
  while [ "$1" != -- ]; do
    sealane --instance "$1" stop >/dev/null 2>&1 || true
    rm -rf "/var/lib/sealane/$1" "/run/sealane/$1" "/dev/shm/sealane/$1"; shift
  done
  shift
  for what; do
    [ -e "/run/netns/$what" ] || continue
    # shellcheck disable=SC2046
    kill $(ip netns pids "$what") 2>/dev/null || true
    ip netns del "$what"
  done
  rm -rf "${FOLDER:?}"
}
main() {
  case ${1:-} in up) begin; up ;; down) down ;; *) echo "usage: $0 up|down" >&2; exit 2 ;; esac
}
