#!/usr/bin/env bash
# Makes a machine ready: Debian packages, npm packages, build, hugepages. Prints to stderr only.
# Does only what is missing, so a second run takes a second and needs no network.
#
#   scripts/setup.sh [--no-build] [group...]     groups: build run demo test lint nic (default: build run test)
#
# SEALANE_HUGEPAGES=N   2 MB pages to make available (default 256; 0: leave them alone)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { echo "setup: $*" >&2; }
fail() {
  echo "setup: $*" >&2
  exit 1
}

build=yes
groups=()
for arg in "$@"; do
  case $arg in
    --no-build) build=no ;;
    build | run | demo | test | lint | nic) groups+=("$arg") ;;
    *) fail "unknown argument '$arg' (see the head of scripts/setup.sh)" ;;
  esac
done
[ ${#groups[@]} -gt 0 ] || groups=(build run test)

# One set-up at a time; whoever waits finds the work done.
mkdir -p build
exec 9>build/.setup.lock
if ! flock -n 9; then
  say "another set-up is running; waiting for it"
  flock 9
fi

check_node() {
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    fail "Node.js >= 20.19 with npm is needed (Debian's own is too old; see docs/building.md)"
  fi
  local version major minor
  version=$(node --version)
  IFS=. read -r major minor _ <<<"${version#v}"
  if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 19 ]; }; then
    fail "Node.js >= 20.19 is needed; this is $version (see docs/building.md)"
  fi
}

apt_install() {
  local apt=(apt-get -o DPkg::Lock::Timeout=300 -o APT::Keep-Downloaded-Packages=false)
  "${apt[@]}" install -y -qq --no-install-recommends "$@"
}

install_packages() {
  local wanted missing=() have log
  mapfile -t wanted < <(for g in "${groups[@]}"; do grep -v '^#' "scripts/packages/$g"; done | sort -u)
  # shellcheck disable=SC2016  # a dpkg format, not a shell variable
  have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null || true)
  for package in "${wanted[@]}"; do
    grep -qx "$package installed" <<<"$have" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] ||
    fail "these packages are missing, and installing them needs root: ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  echo 'wireshark-common wireshark-common/install-setuid boolean false' | debconf-set-selections || true
  log=$(mktemp)
  # First with the package lists as they are; they are fetched only when that does not do.
  if ! apt_install "${missing[@]}" >"$log" 2>&1; then
    say "updating the package lists"
    if ! { apt-get -o DPkg::Lock::Timeout=300 update -qq && apt_install "${missing[@]}"; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      fail "could not install the packages above (network? Debian 12?)"
    fi
  fi
  rm -f "$log"
}

install_npm() {
  node scripts/lib/npm-stale.mjs && return 0
  say "installing npm packages"
  local log
  log=$(mktemp)
  if ! npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    fail "npm ci failed (network?)"
  fi
  rm -f "$log"
}

# Hugepages make the worker faster; without them it runs with --no-huge.
make_hugepages() {
  local want=${SEALANE_HUGEPAGES:-256} knob=/proc/sys/vm/nr_hugepages have free_mb
  have=$(cat "$knob" 2>/dev/null || echo 0)
  [ "$have" -lt "$want" ] || return 0
  free_mb=$(awk '/^MemAvailable/ {print int($2 / 1024)}' /proc/meminfo)
  if [ "$free_mb" -gt $((want * 2 * 4)) ] && { echo "$want" >"$knob"; } 2>/dev/null; then
    have=$(cat "$knob")
  fi
  if [ "$have" -ge "$want" ]; then
    say "made $want hugepages of 2 MB available"
  elif [ "$have" -eq 0 ]; then
    say "no hugepages here: the worker falls back to --no-huge (slower, otherwise the same)"
  else
    say "only $have of $want hugepages could be made"
  fi
}

# The kernel of the interoperability tests is unpacked, never installed.
fetch_test_kernel() {
  local script=test/interop/linux-pe/setup.sh
  [ -f "$script" ] || return 0
  [ -e build/uml/linux.uml ] || say "fetching the kernel of the interoperability tests"
  bash "$script" >&2
}

# The kernel of the machine with emulated NICs, too.
fetch_nic_kernel() {
  [ -e build/vm/.inputs ] || say "fetching the kernel of the machine with emulated NICs"
  bash test/nic/vm/setup.sh >&2
}

check_node
install_packages
install_npm
[ "$build" = no ] || bash scripts/build.sh
for group in "${groups[@]}"; do
  case $group in
    run) make_hugepages ;;
    test) fetch_test_kernel ;;
    nic) fetch_nic_kernel ;;
  esac
done
