#!/usr/bin/env bash
# clang-tidy over every C and C++ source that is built, as many at a time as there are CPUs. A source is checked again
# only when it, a header, or the configuration changed since it last passed.
#
# Tests do without the static analyzer, which takes nine tenths of the time: the sanitizers run them.
set -euo pipefail

stamps=build/tidy
mkdir -p "$stamps"

check() {
  local database=$1 checks=$2 file=$3 stamp
  stamp=$stamps/${file//\//_}
  if [ -e "$stamp" ] && [ -z "$(find "$file" .clang-tidy dpdk-app addon \
    \( -path "$file" -o -name '*.h' -o -name '*.hh' -o -name .clang-tidy \) -newer "$stamp" -print -quit)" ]; then
    return 0
  fi
  touch "$stamp.new"
  # -Werror of the build is about gcc's warnings: clang has others, and .clang-tidy says which of those count.
  if ! clang-tidy-14 --quiet --checks="$checks" --extra-arg=-Wno-error -p "$database" "$file" 2>"$stamp.err"; then
    grep -v 'warnings generated\|Suppressed\|Use -header-filter' "$stamp.err" || true
    rm -f "$stamp.new" "$stamp.err"
    return 1
  fi
  rm -f "$stamp.err"
  mv "$stamp.new" "$stamp"
}
export -f check
export stamps

without_analyzer='-clang-analyzer-*'
{
  find dpdk-app/src -name '*.c' -printf 'build/dpdk-app\n\n%p\n'
  find dpdk-app/test -name '*.c' -not -path '*/fuzz/*' -printf "build/dpdk-app\n$without_analyzer\n%p\n"
  find addon/src -name '*.cc' -printf 'build/addon\n\n%p\n'
} | xargs -r -d '\n' -n 3 -P "$(nproc)" bash -c 'check "$1" "$2" "$3"' _
