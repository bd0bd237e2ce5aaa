#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lab.sh up|down: see README.md
# shellcheck disable=SC2034  # lib.sh reads it
LAB=linux-pe
HERE=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$HERE/../lib.sh"
GUEST=$ROOT/test/interop/linux-pe
up() {
  ca provider
  cert provider sealane 192.0.2.1
  cert provider linux 192.0.2.2
  netns lnx-sealane lnx-linux lnx-ce1 lnx-ce2
  link lnx-sealane wan lnx-linux wan0
  link lnx-sealane cust lnx-ce1 eth0
  link lnx-linux cust0 lnx-ce2 eth0
  host lnx-ce1 eth0 10.1.0.2/24 10.1.0.1
  host lnx-ce2 eth0 10.2.0.2/24 10.2.0.1
  # A machine with Debian 12 in the place of this: a User Mode Linux guest with the NICs wan0 and cust0.
  "$GUEST/setup.sh"
  LINUX_PE_MEM=256M LINUX_PE_BOOT_TIMEOUT=200 "$GUEST/pe.sh" up lnx /dev/null lnx-linux wan0 cust0
  "$GUEST/pe.sh" exec lnx "bash '$HERE/linux/up.sh' '$FOLDER'"
  pe lnx-sealane "$HERE/sealane.config.ts"
}
down() {
  "$GUEST/pe.sh" down lnx
  end lnx-sealane -- lnx-sealane lnx-linux lnx-ce1 lnx-ce2 lnx-sealane-blue
}
main "$@"
