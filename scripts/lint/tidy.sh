#!/usr/bin/env bash
# clang-tidy over every C and C++ source that is built, two at a time. A source is checked again
# only when it, a header, or the configuration changed since it last passed.
set -euo pipefail

stamps=build/tidy
mkdir -p "$stamps"

check() {
  local database=$1 file=$2 stamp
  stamp=$stamps/${file//\//_}
  if [ -e "$stamp" ] && [ -z "$(find "$file" .clang-tidy dpdk-app addon \
    \( -path "$file" -o -name '*.h' -o -name '*.hh' -o -name .clang-tidy \) -newer "$stamp" -print -quit)" ]; then
    return 0
  fi
  touch "$stamp.new"
  if ! clang-tidy-14 --quiet -p "$database" "$file" 2>"$stamp.err"; then
    grep -v 'warnings generated\|Suppressed\|Use -header-filter' "$stamp.err" || true
    rm -f "$stamp.new" "$stamp.err"
    return 1
  fi
  rm -f "$stamp.err"
  mv "$stamp.new" "$stamp"
}
export -f check
export stamps

{
  find dpdk-app/src dpdk-app/test -name '*.c' -not -path '*/fuzz/*' -printf 'build/dpdk-app\n%p\n'
  find addon/src -name '*.cc' -printf 'build/addon\n%p\n'
} | xargs -r -d '\n' -n 2 -P "$(nproc)" bash -c 'check "$1" "$2"' _
