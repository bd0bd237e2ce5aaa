#!/usr/bin/env bash
# Builds into build/. Parts: js worker addon (default: all). A part whose inputs have not changed
# since its last good build is skipped, so calling this is always cheap.
#
#   scripts/build.sh [--force] [--asan] [part...]
#
# With CI set, compiler warnings are errors, from the first build of a clone on.
#
#   --asan     address and undefined-behaviour sanitizers, clang; own folders: build/asan/
#   --force    build even what looks up to date
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

prefix=build
force=no
parts=()
cmake_options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo)
for arg in "$@"; do
  case $arg in
    --force) force=yes ;;
    --asan)
      prefix=build/asan
      cmake_options+=('-DSEALANE_SANITIZE=address,undefined' -DSEALANE_FUZZ=ON
        -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14)
      ;;
    js | worker | addon) parts+=("$arg") ;;
    *)
      echo "build.sh: unknown argument '$arg' (see the head of scripts/build.sh)" >&2
      exit 2
      ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || parts=(js worker addon)
werror=OFF
if [ -n "${CI:-}" ] && [ "$prefix" = build ]; then werror=ON; fi
cmake_options+=("-DSEALANE_WERROR=$werror")

jobs=$(nproc)
mkdir -p "$prefix"
# One build at a time per folder; whoever waits finds the work done.
exec 8>"$prefix/.build.lock"
flock 8

say() { echo "build: $*" >&2; }

# stale PRODUCT STAMP INPUT... : succeeds when an input is newer than the stamp, or the product is
# gone. Folders are inputs too, so that a deleted or renamed file counts.
stale() {
  local product=$1 stamp=$2
  shift 2
  [ "$force" = yes ] || [ ! -e "$product" ] || [ ! -e "$stamp" ] || [ -n "$(find "$@" -newer "$stamp" -print -quit 2>/dev/null)" ]
}

# with_stamp STAMP COMMAND... : the stamp carries the time at which the build *started*.
with_stamp() {
  local stamp=$1 log
  shift
  log=$(mktemp "$prefix/log.XXXXXX")
  touch "$stamp.new"
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log" "$stamp.new"
    return 1
  fi
  # Warnings are worth seeing, the rest is not.
  grep -E 'warning:|note:' "$log" >&2 || true
  rm -f "$log"
  mv "$stamp.new" "$stamp"
}

build_js() {
  bash scripts/gen.sh || return 1
  if [ -z "$(find src -name '*.ts' -print -quit)" ]; then
    say "js: src/ is empty"
    return
  fi
  stale build/js "$prefix/.js.stamp" src tsconfig.json package-lock.json scripts/build.sh || return 0
  say "js -> build/js"
  # A file that was removed from src/ must not live on in build/js.
  if [ -d build/js ]; then
    find build/js -name '*.js' | while read -r js; do
      ts=src/${js#build/js/}
      [ -e "${ts%.js}.ts" ] || rm -f "${js%.js}".{js,js.map,d.ts}
    done
  fi
  [ -d build/js ] || rm -f build/tsc/src.tsbuildinfo
  with_stamp "$prefix/.js.stamp" node_modules/.bin/tsc -p tsconfig.json || return 1
  chmod -f +x build/js/main.js build/js/cli/main.js || true
}

configure_and_build() {
  local source=$1 out=$2
  [ -e "$out/build.ninja" ] || cmake -S "$source" -B "$out" -G Ninja "${cmake_options[@]}" || return 1
  cmake --build "$out" -j "$jobs"
}

build_worker() {
  stale "$prefix/dpdk-app/sealane-worker" "$prefix/.worker.stamp" dpdk-app proto scripts/build.sh || return 0
  say "worker -> $prefix/dpdk-app"
  with_stamp "$prefix/.worker.stamp" configure_and_build dpdk-app "$prefix/dpdk-app"
}

build_addon() {
  stale "$prefix/addon/Release/sealane.node" "$prefix/.addon.stamp" addon dpdk-app/include dpdk-app/src package-lock.json scripts/build.sh || return 0
  say "addon -> $prefix/addon"
  if [ "$prefix" = build ]; then
    with_stamp "$prefix/.addon.stamp" node_modules/.bin/cmake-js build -l warn -d addon -O build/addon \
      -G Ninja --parallel "$jobs" -B Release --CDCMAKE_EXPORT_COMPILE_COMMANDS=ON --CDSEALANE_WERROR="$werror"
  else
    with_stamp "$prefix/.addon.stamp" configure_and_build addon "$prefix/addon"
  fi
}

# Every part is tried, so that one broken file of one part does not hold up the others.
status=0
for part in "${parts[@]}"; do
  "build_$part" || status=1
done
exit $status
