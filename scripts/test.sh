#!/usr/bin/env bash
# npm test: all set-up, then the tests. The last line is "N passed, N failed[, N skipped]".
#
#   npm test [-- [--asan] [suite...] [argument of vitest...]]
#
# Suites (default: all): c (cmocka), unit, dataplane, load, interop, system. Any other argument goes to
# vitest: `npm test -- unit bgp/codec`, `npm test -- system -t restart`.
# --asan runs the suites against the sanitizer builds: the C tests of build/asan; the addon of
# build/asan in the unit tests; the worker of build/asan in the others. Tests and product find the
# two by SEALANE_ADDON and SEALANE_WORKER, when set. Any sanitizer report fails the run.
# With CI set, the files of dataplane, load, interop and system in which a test failed are run once more, one at a time, on a
# machine that does nothing else by then. What passes there counts as passed and is named at the end with the reason of
# its first failure: a busy machine, or a defect that shows seldom.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

suites=()
vitest_args=()
asan=no
for arg in "$@"; do
  case $arg in
    c | unit | dataplane | load | interop | system) suites+=("$arg") ;;
    --asan) asan=yes ;;
    *) vitest_args+=("$arg") ;;
  esac
done
[ ${#suites[@]} -gt 0 ] || suites=(c unit dataplane load interop system)

build_dir=build
groups=(build run test)
if [ "$asan" = yes ]; then
  build_dir=build/asan
  groups+=(lint) # clang and its sanitizer runtime
fi
# Two test files at a time start up to eight workers.
SEALANE_HUGEPAGES=${SEALANE_HUGEPAGES:-512} bash scripts/setup.sh "${groups[@]}" </dev/null || exit 1
[ "$asan" = no ] || bash scripts/build.sh --asan worker addon || exit 1

mkdir -p build/test
results=$(mktemp -d build/test/run.XXXXXX)
trap 'rm -rf "$results"' EXIT
summaries=()

run_c() {
  echo "== c (cmocka)"
  ctest --test-dir "$build_dir/dpdk-app" --output-on-failure --no-tests=ignore -j "$(nproc)" \
    --test-output-size-passed 10000000 --test-output-size-failed 10000000 \
    --output-junit "$PWD/$results/ctest.xml"
  node scripts/lib/ctest-summary.mjs "$results/ctest.xml" "$results/c.json"
  summaries+=("$results/c.json")
}

# Environment of the vitest run over the suites given.
environment() {
  echo "SEALANE_TEST_SUMMARY=$PWD/$results/vitest-$1.json"
  [ "$asan" = yes ] || return 0
  local log=log_path=$PWD/$results/sanitizer
  echo "ASAN_OPTIONS=detect_leaks=0:$log"
  echo "UBSAN_OPTIONS=print_stacktrace=1:$log"
  if [ "${1%-again}" = unit ]; then
    # Node itself is not built with the sanitizer, so its runtime has to come first.
    echo "LD_PRELOAD=$(clang-14 -print-file-name=libclang_rt.asan-x86_64.so)"
    echo "SEALANE_ADDON=$PWD/build/asan/addon/Release/sealane.node"
  else
    echo "SEALANE_WORKER=$PWD/build/asan/dpdk-app/sealane-worker"
  fi
}

# One run of vitest: its name, then its arguments.
vitest() {
  local variables
  mapfile -t variables < <(environment "$1")
  env "${variables[@]}" node_modules/.bin/vitest run --config test/vitest.config.ts "${@:2}"
}

run_vitest() {
  local projects=() report failed
  for suite in "$@"; do projects+=(--project "$suite"); done
  echo "== $*"
  vitest "$1" "${projects[@]}" ${vitest_args[@]+"${vitest_args[@]}"}
  mapfile -t failed < <(node scripts/lib/test-summary.mjs --failed "$results/vitest-$1.json")
  if [ -n "${CI:-}" ] && [ ${#failed[@]} -gt 0 ]; then
    echo "== again, each alone: ${failed[*]}"
    vitest "$1-again" --maxWorkers=1 "${projects[@]}" "${failed[@]}"
    summaries+=("$results/vitest-$1.json:$results/vitest-$1-again.json")
  else
    summaries+=("$results/vitest-$1.json")
  fi
  for report in "$results"/sanitizer.*; do
    [ -e "$report" ] || continue
    cat "$report"
    mv "$report" "$results/seen-${report##*/}"
    echo '{"passed":0,"failed":[{"name":"sanitizer","reason":"the report above"}],"skipped":[]}' \
      >"$results/report-${#summaries[@]}.json"
    summaries+=("$results/report-${#summaries[@]}.json")
  done
}

others=()
for suite in "${suites[@]}"; do
  if [ "$suite" = c ]; then
    run_c
  elif [ "$suite" = unit ] && [ "$asan" = yes ]; then
    run_vitest unit # on its own: the addon's sanitizer has to be preloaded
  else
    others+=("$suite")
  fi
done
[ ${#others[@]} -eq 0 ] || run_vitest "${others[@]}"

node scripts/lib/test-summary.mjs "${summaries[@]}"
