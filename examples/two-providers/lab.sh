#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lab.sh up|down: see README.md
# shellcheck disable=SC2034  # lib.sh reads it
LAB=two-providers
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$HERE/../lib.sh"
up() {
  ca alpha
  ca beta
  cert alpha alpha 192.0.2.1
  cert beta beta 203.0.113.1
  netns two-alpha two-beta two-ce1 two-ce2
  link two-alpha wan two-beta wan
  link two-alpha cust two-ce1 eth0
  link two-beta cust two-ce2 eth0
  host two-ce1 eth0 10.1.0.2/24 10.1.0.1
  host two-ce2 eth0 10.2.0.2/24 10.2.0.1
  # The way between the providers' tunnel addresses: a real core's IGP or EBGP has it.
  pe two-alpha "$HERE/alpha.config.ts" '203.0.113.0/24 via 198.51.100.2 src 192.0.2.1'
  pe two-beta "$HERE/beta.config.ts" '192.0.2.0/24 via 198.51.100.1 src 203.0.113.1'
}
down() { end two-alpha two-beta -- two-alpha two-beta two-ce1 two-ce2 two-alpha-blue two-beta-blue; }
main "$@"
