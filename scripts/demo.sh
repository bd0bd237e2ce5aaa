#!/usr/bin/env bash
# npm run demo: all set-up, then the demo. Arguments go to the demo (--json, --keep).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/scripts/setup.sh" build run demo >&2 </dev/null
cd "$root"
exec node scripts/lib/run-ts.mjs scripts/demo/main.ts "$@"
