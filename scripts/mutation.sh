#!/usr/bin/env bash
# npm run test:mutation: all set-up, then scripts/mutation.ts. Arguments go to it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/scripts/setup.sh" build run test >&2 </dev/null
cd "$root"
exec node scripts/lib/run-ts.mjs scripts/mutation.ts "$@"
