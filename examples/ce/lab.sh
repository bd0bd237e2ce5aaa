#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lab.sh up|down: see README.md
# shellcheck disable=SC2034  # lib.sh reads it
LAB=ce
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$HERE/../lib.sh"
ZEBRA=/run/sealane-example-ce
up() {
  local n
  netns ce-pe ce-site1 ce-site2
  for n in 1 2; do
    link ce-pe "cust$n" "ce-site$n" eth0
    ip -n "ce-site$n" addr add "10.$n.0.2/24" dev eth0
    ip -n "ce-site$n" addr add "172.16.$n.1/24" dev lo  # the site behind it
  done
  # zebra gives up root's rights: its files are where its user may go
  install -d -o frr -g frr -m 755 "$ZEBRA"
  install -o frr -g frr -m 600 /dev/null "$ZEBRA/zebra.conf"
  daemon ce-site1 zebra /usr/lib/frr/zebra -f "$ZEBRA/zebra.conf" -i "$ZEBRA/zebra.pid" -z "$ZEBRA/zserv.api" \
    --vty_socket "$ZEBRA" -A 127.0.0.1 -P 0
  # bgpd tries again only after 10 s
  for _ in $(seq 600); do [ ! -S "$ZEBRA/zserv.api" ] || break; sleep 0.1; done
  frr_bgpd ce-site1 "$HERE/frr.conf" -z "$ZEBRA/zserv.api"
  daemon ce-site2 bird bird -f -c "$HERE/bird.conf" -s "$FOLDER/bird.ctl" -P "$FOLDER/bird.pid"
  pe ce-pe "$HERE/pe.config.ts"
}
down() { rm -rf "$ZEBRA"; end ce-pe -- ce-pe ce-site1 ce-site2 ce-pe-blue; }
main "$@"
