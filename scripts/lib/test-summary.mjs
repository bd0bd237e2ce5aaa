// Closes a test run: node scripts/lib/test-summary.mjs SUMMARY.json...
// Prints failed and skipped tests by name and reason, then "N passed, N failed[, N skipped]".
import { existsSync, readFileSync } from 'node:fs';

const total = { passed: 0, failed: [], skipped: [] };
for (const file of process.argv.slice(2)) {
  if (!existsSync(file)) {
    total.failed.push({ name: file, reason: 'the test runner left no result' });
    continue;
  }
  const part = JSON.parse(readFileSync(file, 'utf8'));
  total.passed += part.passed;
  total.failed.push(...part.failed);
  total.skipped.push(...part.skipped);
}

const print = (title, list) => {
  if (list.length > 0) console.log(`\n${title}:`);
  for (const { name, reason } of list) console.log(`  ${name}\n      ${reason.split('\n')[0]}`);
};
print('Skipped', total.skipped);
print('Failed', total.failed);

const skipped = total.skipped.length > 0 ? `, ${total.skipped.length} skipped` : '';
console.log(`\n${total.passed} passed, ${total.failed.length} failed${skipped}`);
process.exitCode = total.failed.length > 0 || total.passed === 0 ? 1 : 0;
