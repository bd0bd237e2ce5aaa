// Closes a test run: node scripts/lib/test-summary.mjs SUMMARY.json[:AGAIN.json]...
// Prints failed and skipped tests by name and reason, then "N passed, N failed[, N skipped]". AGAIN is of the files of
// SUMMARY that were run once more: its results count instead.
//
// node scripts/lib/test-summary.mjs --failed SUMMARY.json prints the files that are to be run once more: those with a
// failed test that stands on a network, a worker or a peer. A unit test has no excuse.
import { existsSync, readFileSync } from 'node:fs';

const APART = /^test\/(dataplane|load|interop|system)\//;

const failedFiles = ({ failed }) =>
  new Set(failed.map(({ file = '' }) => file).filter((file) => APART.test(file)));

function read(file) {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  const failed = [{ name: file, reason: 'the test runner left no result' }];
  return { passed: 0, passedIn: {}, failed, skipped: [] };
}

/** What counts of a run and of the run of its failed files. */
function joined(first, again) {
  const files = failedFiles(first);
  const isElsewhere = ({ file = '' }) => !files.has(file);
  const inFiles = [...files].reduce((sum, file) => sum + (first.passedIn[file] ?? 0), 0);
  const still = new Set(again.failed.map(({ name }) => name));
  return {
    passed: first.passed - inFiles + again.passed,
    failed: [...first.failed.filter(isElsewhere), ...again.failed],
    skipped: [...first.skipped.filter(isElsewhere), ...again.skipped],
    unsteady: first.failed.filter((entry) => !isElsewhere(entry) && !still.has(entry.name)),
  };
}

function close(files) {
  const total = { passed: 0, failed: [], skipped: [], unsteady: [] };
  for (const [first, again] of files.map((file) => file.split(':'))) {
    const part = again === undefined ? read(first) : joined(read(first), read(again));
    total.passed += part.passed;
    total.failed.push(...part.failed);
    total.skipped.push(...part.skipped);
    total.unsteady.push(...(part.unsteady ?? []));
  }
  const print = (title, list) => {
    if (list.length > 0) console.log(`\n${title}:`);
    for (const { name, reason } of list) console.log(`  ${name}\n      ${reason.split('\n')[0]}`);
  };
  print('Skipped', total.skipped);
  print('Failed at first, passed when their files were run again', total.unsteady);
  print('Failed', total.failed);
  const skipped = total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : '';
  console.log(`\n${total.passed} passed, ${total.failed.length} failed${skipped}`);
  process.exitCode = total.failed.length > 0 || total.passed === 0 ? 1 : 0;
}

const args = process.argv.slice(2);
if (args[0] === '--failed') for (const file of failedFiles(read(args[1]))) console.log(file);
else close(args);
