#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Gets the guest kernel for pe.sh: unpacks Debian's user-mode-linux under $UML_DIR (default build/uml of this
# repository) without installing it, and installs the tools that the guests and the tests run, where missing.
# Does nothing, and needs no network, when everything is there. Safe to run from several processes at once.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
UML_DIR=${UML_DIR:-$(cd "$HERE/../../.." && pwd)/build/uml}
declare -A tool=([ip]=iproute2 [modprobe]=kmod [ethtool]=ethtool [tcpdump]=tcpdump [ping]=iputils-ping
                 [nc.openbsd]=netcat-openbsd [tshark]=tshark)
export PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$UML_DIR"
exec 8>"$UML_DIR/.lock"; flock 8
miss=(); for t in "${!tool[@]}"; do command -v "$t" >/dev/null || miss+=("${tool[$t]}"); done
updated=
apt_update() { [ "$updated" ] || apt-get update -qq; updated=1; }
if [ ${#miss[@]} -gt 0 ]; then
  install=(apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${miss[@]}")
  export DEBIAN_FRONTEND=noninteractive
  "${install[@]}" >/dev/null 2>&1 || { apt_update; "${install[@]}" >/dev/null; }
fi
if [ ! -e "$UML_DIR/linux.uml" ] || [ ! -e "$UML_DIR/modules/modules.dep" ]; then
  # -o: the sandbox user of apt may not be able to write to a build folder
  get=(apt-get -o APT::Sandbox::User=root download -qq user-mode-linux)
  rm -rf "$UML_DIR/new"; mkdir -p "$UML_DIR/new/deb"
  (cd "$UML_DIR/new/deb"; "${get[@]}" 2>/dev/null || { apt_update; "${get[@]}"; })
  dpkg -x "$UML_DIR"/new/deb/user-mode-linux_*.deb "$UML_DIR/new/pkg"
  rm -rf "$UML_DIR/pkg" "$UML_DIR/new/deb"; mv "$UML_DIR/new/pkg" "$UML_DIR/pkg"; rmdir "$UML_DIR/new"
  ln -sfn "$(cd "$UML_DIR" && echo pkg/usr/lib/uml/modules/*)" "$UML_DIR/modules"
  ln -sfn pkg/usr/bin/linux.uml "$UML_DIR/linux.uml"  # last: says that all is there
fi
