#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A Linux PE as a User Mode Linux guest (Debian's kernel; no KVM, nothing loaded into the host's kernel).
#   pe.sh up NAME CONFIG NETNS NIC[/MAC] [NIC[/MAC]...]   boots it; returns when CONFIG has been carried out
#   pe.sh exec NAME [COMMAND...]    runs a shell command in it (or a script from stdin): output and exit status
#   pe.sh down NAME                 powers it off and removes its state
# NIC: an interface of network namespace NETNS ("-": the current one), a veth end or a tap. The guest takes it by a
# raw socket and has a NIC of the same name with a MAC of its own. CONFIG: see README.md, a file with keys in it.
# Settings: UML_DIR (build/uml), LINUX_PE_STATE ($UML_DIR/run), LINUX_PE_MEM (128M), LINUX_PE_BOOT_TIMEOUT (60 s),
# LINUX_PE_TIMEOUT (120 s a command), LINUX_PE_OWNER (a process id: the guest dies with that process).
set -eu
umask 077
export PATH=$PATH:/usr/sbin:/sbin
HERE=$(cd "$(dirname "$0")" && pwd)
UML_DIR=${UML_DIR:-$(cd "$HERE/../../.." && pwd)/build/uml}
STATE=${LINUX_PE_STATE:-$UML_DIR/run}
usage() { sed -n 3,6p "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
verb=$1 name=$2; shift 2
case $name in *[!a-zA-Z0-9._-]*|''|.*) echo "bad guest name $name" >&2; exit 2 ;; esac
S=$STATE/$name

# A process is known by its id and its start time, so that an id used again is never taken for it.
started() { local l; l=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; set -- ${l##*) }; [ "$1" != Z ] && echo "${20}"; }
alive() {  # FILE holding "PID START"
  local pid start; read -r pid start 2>/dev/null <"$1" || return 1
  [ "$(started "$pid")" = "$start" ]
}
reap() {  # every process of the guest of $S: the kernel's, its helpers', its user processes'
  local pid start p l; read -r pid start 2>/dev/null <"$S/pid" || return 0
  if alive "$S/pid"; then kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null || true; fi
  for p in /proc/[0-9]*; do  # those left behind by a kernel that was killed alone: same session, same binary
    l=$(cat "$p/stat" 2>/dev/null) || continue; set -- ${l##*) }
    [ "$4" = "$pid" ] && [ "${20}" -ge "$start" ] && [ "$(readlink "$p/exe")" = "$(readlink -f "$UML_DIR/linux.uml")" ] || continue
    kill -KILL "${p#/proc/}" 2>/dev/null || true
  done
  for _ in {1..100}; do alive "$S/pid" || break; sleep 0.02; done
}

fail() {  # MESSAGE LOG: a guest that did not come up goes, with its keys
  echo "$1" >&2; tail -n 30 "$S/$2" >&2
  reap; rm -rf "$S"; exit 1
}
up() {
  [ $# -ge 3 ] || usage
  local conf=$1 ns=$2; shift 2
  [ -e "$UML_DIR/linux.uml" ] || { echo "no guest kernel: run $HERE/setup.sh" >&2; exit 1; }
  mkdir -p "$STATE"; exec 7>"$STATE/.lock"; flock -w 60 7  # until the pid is written
  if alive "$S/pid" && { [ ! -e "$S/owner" ] || alive "$S/owner"; }; then
    echo "guest $name already runs (pid $(cut -d' ' -f1 "$S/pid"))" >&2; exit 1
  fi
  reap  # what a killed run has left
  rm -rf "$S"; mkdir -p "$S/cmd"; mkfifo "$S/con1"
  cat -- "$conf" >"$S/pe.env"
  local in=() nics=() vec=() i=0 n if mac mtu
  [ "$ns" = - ] || in=(ip netns exec "$ns")
  local off=(tx off rx off tso off gso off gro off)
  for n; do
    if=${n%%/*}; mac=; [ "$n" = "$if" ] || mac=${n#*/}
    # a MAC unlike the host interface's: the host's own stack drops what is for the guest
    [ "$mac" ] || mac=02:$(printf %s "$name.$if" | md5sum | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\).*/\1:\2:\3:\4:\5/')
    mtu=$("${in[@]}" cat "/sys/class/net/$if/mtu")
    "${in[@]}" sysctl -qw "net.ipv6.conf.$if.disable_ipv6=1" 2>/dev/null || true
    "${in[@]}" ip link set "$if" up promisc on
    # complete checksums and frames of wire size; the veth's other end must have the same (README.md)
    "${in[@]}" ethtool -K "$if" "${off[@]}" >/dev/null 2>&1 || true
    vec+=("vec$i:transport=raw,ifname=$if,mac=$mac,mtu=$mtu,depth=128"); nics+=("$if"); i=$((i+1))
  done
  exec 3<>"$S/con1"
  "${in[@]}" setsid "$UML_DIR/linux.uml" mem="${LINUX_PE_MEM:-128M}" \
    root=/dev/root rootfstype=hostfs rootflags=/ ro init="$HERE/guest/init" \
    uml_dir="$S/uml" umid="$name" con=null con0=null,fd:1 con1=fd:3,null "${vec[@]}" quiet \
    PE_STATE="$S" PE_INIT="$HERE/guest/init" PE_MODULES="$(readlink -f "$UML_DIR/modules")" \
    PE_NICS="$(IFS=,; echo "${nics[*]}")" >"$S/console.log" 2>&1 </dev/null 7>&- &
  local pid=$!; disown "$pid"  # no "Killed" from bash
  echo "$pid $(started "$pid")" >"$S/pid"
  exec 3>&- 7>&-
  if [ "${LINUX_PE_OWNER:-}" ]; then
    echo "$LINUX_PE_OWNER $(started "$LINUX_PE_OWNER")" >"$S/owner"
    setsid "$HERE/pe.sh" watch "$name" >/dev/null 2>&1 </dev/null &
  fi
  local end=$((SECONDS + ${LINUX_PE_BOOT_TIMEOUT:-60}))
  until [ -e "$S/up.rc" ]; do
    alive "$S/pid" || fail "guest $name died while booting:" console.log
    [ $SECONDS -lt $end ] || fail "guest $name is not up in time:" console.log
    sleep 0.05
  done
  [ "$(cat "$S/up.rc")" = 0 ] || fail "guest $name could not be configured:" up.log
}

send() {  # ID of a script in cmd/: the guest's command loop reads it from its terminal
  echo "$1" 1<>"$S/con1"  # <>: does not wait for a reader
}
run() {  # [COMMAND...]
  alive "$S/pid" || { echo "guest $name is down" >&2; exit 125; }
  local f n; f=$(mktemp "$S/cmd/XXXXXXXX"); n=${f##*/}
  if [ $# -gt 0 ]; then printf '%s\n' "$*"; else cat; fi >"$f"
  send "$n"
  local end=$((SECONDS + ${LINUX_PE_TIMEOUT:-120})) rc
  until [ -e "$f.rc" ]; do
    alive "$S/pid" || { echo "guest $name went down" >&2; tail -n 30 "$S/console.log" >&2; exit 125; }
    [ $SECONDS -lt $end ] || { cat "$f.out"; cat "$f.err" >&2; echo "timed out" >&2; exit 124; }
    sleep 0.02
  done
  rc=$(cat "$f.rc"); cat "$f.out"; cat "$f.err" >&2
  rm -f "$f" "$f".*; exit "$rc"
}
down() {
  if alive "$S/pid"; then
    echo 'sync; echo o >/proc/sysrq-trigger' >"$S/cmd/off"; send off
    for _ in {1..100}; do alive "$S/pid" || break; sleep 0.03; done
  fi
  reap; rm -rf "$S"
}
watch() {  # ends the guest when its owner has ended
  while alive "$S/pid"; do
    alive "$S/owner" || { down; break; }
    sleep 1
  done
}
case $verb in up) up "$@" ;; exec) run "$@" ;; down) down ;; watch) watch ;; *) usage ;; esac
