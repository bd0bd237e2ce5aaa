#!/usr/bin/env bash
# What takes minutes: the tables, the worker and the packet path under torture, in full. `npm test` has less of each.
#
#   npm run torture [-- part...]      parts (default: all):
#     tables    a minute of changes under ThreadSanitizer (build/tsan/), then 1,000 deaths of the writer
#     packets   10^8 packets, half of them out, half in, by every suite: memory, buffers and rings are as before
#     worker    100 workers killed under traffic: no IV twice, no counter back; prints for how long nothing arrived
#
# Prints the seeds; SEALANE_TORTURE_SEED=N repeats a run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(tables packets worker)
seed=${SEALANE_TORTURE_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
bash scripts/setup.sh --no-build build run test lint </dev/null # lint: clang and its sanitizer runtime

torture_tables() {
  local out=build/tsan/addon
  [ -e "$out/build.ninja" ] || cmake -S addon -B "$out" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DSEALANE_SANITIZE=thread -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14
  cmake --build "$out" -j "$(nproc)" --target tables_torture
  "$out/test/tables_torture" race "$seed" 60
  bash scripts/build.sh addon
  build/addon/test/tables_torture kill "$seed" 1000
}

torture_packets() {
  bash scripts/build.sh addon
  build/addon/test/tables_torture flat "$seed" 100
}

torture_worker() {
  bash scripts/build.sh
  SEALANE_TORTURE_KILLS=100 node_modules/.bin/vitest run --config test/vitest.config.ts --project system \
    test/system/supervisor/worker-killed.test.ts
}

for part in "${parts[@]}"; do
  case $part in
    tables) torture_tables ;;
    packets) torture_packets ;;
    worker) torture_worker ;;
    *)
      echo "torture.sh: unknown part '$part' (see the head of scripts/torture.sh)" >&2
      exit 2
      ;;
  esac
done
