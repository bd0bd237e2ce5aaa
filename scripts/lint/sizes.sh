#!/usr/bin/env bash
# Fails on C and C++ files with more than 400 lines of code (blank and comment lines not counted),
# and on packet stages with more than 200; test vectors are data. Function sizes are clang-tidy's.
set -euo pipefail
status=0
while read -r file; do
  limit=400
  case $file in */stages/*) limit=200 ;; esac
  lines=$(awk '
    { line = $0
      if (inside) { if (sub(/^.*\*\//, "", line)) inside = 0; else next }
      gsub(/\/\*[^*]*\*+([^\/*][^*]*\*+)*\//, "", line)
      if (line ~ /\/\*/) { inside = 1; sub(/\/\*.*/, "", line) }
      sub(/\/\/.*/, "", line)
      if (line ~ /[^ \t]/) n++ }
    END { print n + 0 }' "$file")
  if [ "$lines" -gt "$limit" ]; then
    echo "$file: $lines lines of code; at most $limit: split it"
    status=1
  fi
done < <(find dpdk-app addon -name vectors -prune -o -type f \( -name '*.[ch]' -o -name '*.cc' -o -name '*.hh' \) -print | sort)
exit $status
