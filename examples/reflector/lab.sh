#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lab.sh up|down: see README.md
# shellcheck disable=SC2034  # lib.sh reads it
LAB=reflector
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$HERE/../lib.sh"
up() {
  local n
  netns refl-rr refl-c1 refl-c2
  ip -n refl-rr link add br0 type bridge
  ip -n refl-rr addr add 192.0.2.9/24 dev br0
  ip -n refl-rr link set br0 up
  for n in 1 2; do
    link "refl-c$n" eth0 refl-rr "c$n"
    ip -n refl-rr link set "c$n" master br0
    ip -n "refl-c$n" addr add "192.0.2.$n/24" dev eth0
    frr_bgpd "refl-c$n" "$HERE/client$n.frr.conf"
  done
  pe refl-rr "$HERE/rr.config.ts"
}
down() { end rr -- refl-rr refl-c1 refl-c2; }
main "$@"
