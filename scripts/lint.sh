#!/usr/bin/env bash
# npm run lint: every check, each on its own line; shows the output of those that fail.
#
#   scripts/lint.sh [check...]         checks: prettier eslint deps types shell clang-format sizes
#                                              clang-tidy (default: all)
#   scripts/lint.sh --fix [path...]    formats instead, and applies what eslint can fix
#                                      (npm run format -- [path...])
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

all=(prettier eslint deps types shell clang-format sizes clang-tidy)
fix=no
checks=()
paths=()
for arg in "$@"; do
  if [ "$arg" = --fix ]; then
    fix=yes
  elif [ "$fix" = yes ]; then
    paths+=("$arg")
  elif [[ " ${all[*]} " == *" $arg "* ]]; then
    checks+=("$arg")
  else
    echo "lint.sh: unknown check '$arg' (see the head of scripts/lint.sh)" >&2
    exit 2
  fi
done
[ ${#checks[@]} -gt 0 ] || checks=("${all[@]}")
[ ${#paths[@]} -gt 0 ] || paths=(.)

# The checkers read generated code and compile_commands.json, so a build comes first. When it fails
# they still say what they can.
status=0
bash scripts/setup.sh --no-build build lint </dev/null || exit 1
bash scripts/build.sh || status=1

bin=node_modules/.bin
c_sources() { # of the given folders or files
  find "$@" \( -path ./node_modules -o -path ./build \) -prune -o \
    -type f \( -name '*.[ch]' -o -name '*.cc' -o -name '*.hh' \) -print0
}
folders() { # those of the given folders that hold TypeScript
  for folder in "$@"; do
    [ -z "$(find "$folder" -name '*.ts' -print -quit 2>/dev/null)" ] || echo "$folder"
  done
}

check_prettier() { "$bin/prettier" --log-level warn --check .; }
check_eslint() { "$bin/eslint" --config scripts/lint/eslint.config.mjs --max-warnings 0 .; }
check_deps() {
  # shellcheck disable=SC2046  # folder names of ours
  "$bin/depcruise" --config .dependency-cruiser.cjs $(folders src test scripts perf examples)
}
check_types() {
  local status=0 project
  for project in $(folders src test scripts perf examples); do
    [ "$project" = src ] && project=.
    "$bin/tsc" -p "$project" --noEmit || status=1
  done
  return $status
}
check_shell() {
  find scripts test perf dpdk-app .ci -type f \( -name '*.sh' -o -path .ci/run \) -print0 |
    xargs -0 shellcheck --severity=warning
}
check_clang_format() {
  local out
  if out=$(c_sources dpdk-app addon | xargs -0 -r clang-format-14 --dry-run -Werror 2>&1); then
    return 0
  fi
  grep -o '^[^:]*:[0-9]*:[0-9]*: error' <<<"$out" | cut -d: -f1 | sort | uniq -c
  echo "(places per file that \`npm run format -- FILE...\` changes)"
  return 1
}
check_sizes() { bash scripts/lint/sizes.sh; }
check_clang_tidy() { bash scripts/lint/tidy.sh; }

if [ "$fix" = yes ]; then
  "$bin/prettier" --log-level warn --ignore-unknown --write "${paths[@]}"
  "$bin/eslint" --config scripts/lint/eslint.config.mjs --no-error-on-unmatched-pattern \
    --no-warn-ignored --fix "${paths[@]}" || true
  c_sources "${paths[@]}" | xargs -0 -r clang-format-14 -i
  exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for check in "${checks[@]}"; do
  start=$SECONDS
  if "check_${check//-/_}" >"$log" 2>&1; then
    printf 'lint: %-13s ok (%d s)\n' "$check" $((SECONDS - start))
  else
    printf 'lint: %-13s FAILED\n' "$check"
    cat "$log"
    status=1
  fi
done
exit $status
