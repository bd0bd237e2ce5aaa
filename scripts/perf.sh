#!/usr/bin/env bash
# npm run perf: all set-up, then the performance runs. Arguments go to perf/main.ts.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/scripts/setup.sh" build run test >&2 </dev/null
cd "$root"
exec node scripts/lib/run-ts.mjs perf/main.ts "$@"
