#!/usr/bin/env bash
# npm run test:nic: all set-up, then the tests of the worker on PCI NICs, which QEMU emulates. The last line is
# "N passed, N failed". Arguments go to vitest (-t virtio).
#
# Not part of `npm test`: there is no KVM where it runs, so a machine boots and starts Node.js at a twentieth of the speed,
# which together takes several minutes of both cores.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
bash scripts/setup.sh build run test nic </dev/null || exit 1
mkdir -p build/test
summary=$PWD/build/test/nic.json
rm -f "$summary"
# verbose: says what each test has found as soon as it has
SEALANE_TEST_SUMMARY=$summary SEALANE_TEST_REPORTER=verbose \
  node_modules/.bin/vitest run --config test/vitest.config.ts --project nic "$@"
node scripts/lib/test-summary.mjs "$summary"
