#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Gets what the machine with emulated NICs boots: Debian's kernel, unpacked under $VM_DIR (default build/vm of this
# repository) and not installed, and an initramfs that mounts this machine's file system as its root. The programs that
# this needs are of scripts/packages/nic. Does nothing, and needs no network, when everything is there.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
VM_DIR=${VM_DIR:-$(cd "$HERE/../../.." && pwd)/build/vm}
export PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$VM_DIR"
exec 8>"$VM_DIR/.lock"; flock 8
inputs=$(cat "$HERE/setup.sh" "$HERE/initramfs-init" | md5sum)
[ "$(cat "$VM_DIR/.inputs" 2>/dev/null)" != "$inputs" ] || exit 0

updated=
get() {  # PACKAGE FOLDER: unpacked there
  # -o: the sandbox user of apt may not be able to write to a build folder
  local get=(apt-get -o APT::Sandbox::User=root download -qq "$1") deb=$VM_DIR/deb
  rm -rf "$deb" "$2"; mkdir -p "$deb" "$2"
  (cd "$deb" && "${get[@]}" 2>/dev/null) ||
    { [ "$updated" ] || apt-get update -qq; updated=1; (cd "$deb" && "${get[@]}"); }
  dpkg -x "$deb/$1"_*.deb "$2"; rm -rf "$deb"
}
kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ {print $2; exit}')
[ -n "$kernel" ] || { apt-get update -qq; kernel=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ {print $2; exit}'); }
K=$VM_DIR/kernel B=$VM_DIR/busybox
[ -e "$K/.$kernel" ] || { get "$kernel" "$K"; touch "$K/.$kernel"; }
[ -e "$B/bin/busybox" ] || get busybox-static "$B"
V=$(ls "$K/lib/modules")
depmod -b "$K" "$V"

# Uncompressed: unpacking xz takes an emulated processor seconds. What follows the xz stream is not xz.
Z=$K/boot/vmlinuz-$V
offset=$(LC_ALL=C grep -abom1 "$(printf '\3757zXZ')" "$Z" | head -1 | cut -d: -f1)
tail -c +$((offset + 1)) "$Z" | xz -dc 2>/dev/null >"$VM_DIR/vmlinux" || true
[ -s "$VM_DIR/vmlinux" ] || { echo "cannot unpack $Z" >&2; exit 1; }

T=$(mktemp -d); trap 'rm -rf "$T"' EXIT
mkdir -p "$T"/{bin,proc,dev,lower,tmp,mod}
cp "$B/bin/busybox" "$T/bin/"; cp "$HERE/initramfs-init" "$T/init"; chmod 755 "$T/init"
for m in virtio_pci 9pnet_virtio 9p overlay; do modprobe -d "$K" -S "$V" --show-depends "$m"; done |
  awk '$1 == "insmod" && !seen[$2]++ {print $2}' |
  while read -r f; do cp "$f" "$T/mod/"; basename "$f" >>"$T/mod/list"; done
(cd "$T" && find . | cpio -o -H newc --quiet | zstd -q -1) >"$VM_DIR/initramfs"
ln -sfn "kernel/lib/modules/$V" "$VM_DIR/modules"
echo "$inputs" >"$VM_DIR/.inputs" # last: says that all is there
