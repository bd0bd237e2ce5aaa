#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lab.sh up|down: see README.md
# shellcheck disable=SC2034  # lib.sh reads it
LAB=one-provider
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$HERE/../lib.sh"
up() {
  local n
  ca provider
  netns one-pe1 one-pe2 one-ce1 one-ce2
  link one-pe1 wan one-pe2 wan
  for n in 1 2; do
    cert provider "pe$n" "192.0.2.$n"
    link "one-pe$n" cust "one-ce$n" eth0
    host "one-ce$n" eth0 "10.$n.0.2/24" "10.$n.0.1"
    host "one-ce$n" eth0 "2001:db8:b:$n::2/64" "2001:db8:b:$n::1"
    pe "one-pe$n" "$HERE/pe$n.config.ts"
  done
}
down() { end one-pe1 one-pe2 -- one-pe1 one-pe2 one-ce1 one-ce2 one-pe1-blue one-pe2-blue; }
main "$@"
