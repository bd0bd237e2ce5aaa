#!/usr/bin/env bash
# The tries under ThreadSanitizer, in build/tsan/: readers look up in them while their writer changes them,
# builds the next ones beside them, links those, and uses space again that readers have left.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/setup.sh --no-build build lint </dev/null # clang and its sanitizer runtime
out=build/tsan/addon
[ -e "$out/build.ninja" ] || cmake -S addon -B "$out" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DSEALANE_SANITIZE=thread -DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14
cmake --build "$out" -j "$(nproc)" --target fib_concurrent
"$out/test/fib_concurrent" 0 12000
"$out/test/fib_concurrent" 0 9000 64:1000 # tables of 18 bits: the shadow of 2^24 slots takes gigabytes
