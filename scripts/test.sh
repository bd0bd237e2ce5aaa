#!/usr/bin/env bash
# npm test: all set-up, then the tests. The last line is "N passed, N failed[, N skipped]".
#
#   npm test [-- [--asan] [suite...] [argument of vitest...]]
#
# Suites (default: all): c (cmocka), unit, dataplane, interop, system. Any other argument goes to
# vitest: `npm test -- unit bgp/codec`, `npm test -- system -t restart`.
# --asan runs the suites against the sanitizer builds in build/asan (SEALANE_BUILD says which).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

suites=()
vitest_args=()
asan=no
for arg in "$@"; do
  case $arg in
    c | unit | dataplane | interop | system) suites+=("$arg") ;;
    --asan) asan=yes ;;
    *) vitest_args+=("$arg") ;;
  esac
done
[ ${#suites[@]} -gt 0 ] || suites=(c unit dataplane interop system)

build_dir=build
groups=(build run test)
if [ "$asan" = yes ]; then
  build_dir=build/asan
  groups+=(lint) # clang and its sanitizer runtime
fi
bash scripts/setup.sh "${groups[@]}" </dev/null || exit 1
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

run_vitest() {
  local projects=()
  for suite in "$@"; do projects+=(--project "$suite"); done
  echo "== $*"
  SEALANE_BUILD=$PWD/$build_dir SEALANE_TEST_SUMMARY=$PWD/$results/vitest.json \
    node_modules/.bin/vitest run --config test/vitest.config.ts "${projects[@]}" \
    ${vitest_args[@]+"${vitest_args[@]}"}
  summaries+=("$results/vitest.json")
}

vitest_suites=()
for suite in "${suites[@]}"; do
  if [ "$suite" = c ]; then run_c; else vitest_suites+=("$suite"); fi
done
[ ${#vitest_suites[@]} -eq 0 ] || run_vitest "${vitest_suites[@]}"

node scripts/lib/test-summary.mjs "${summaries[@]}"
