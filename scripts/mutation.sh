#!/usr/bin/env bash
# npm run test:mutation: all set-up, then scripts/mutation.ts, the packet path, scripts/mutation-ike.ts, IKE, and
# scripts/mutation-addon.ts, certificates.
# Arguments are words: only mutations that have one of them in their file or description.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/scripts/setup.sh" build run test >&2 </dev/null
cd "$root"
# 3: none of that part was meant; but one of some part has to be.
status=3
for part in mutation mutation-ike mutation-addon; do
  code=0
  node scripts/lib/run-ts.mjs "scripts/$part.ts" "$@" || code=$?
  case "$status $code" in
    *' 3') ;;
    '3 '* | '0 '*) status=$code ;;
  esac
done
exit "$status"
