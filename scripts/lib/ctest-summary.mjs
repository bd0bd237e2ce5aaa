// Turns ctest's JUnit file into the summary of test/reporter.ts: cmocka's own counts per program.
//   node scripts/lib/ctest-summary.mjs JUNIT.xml OUT.json
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const [junit, out] = process.argv.slice(2);
const summary = { passed: 0, failed: [], skipped: [] };
const plain = (text) =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');

const xml = existsSync(junit) ? readFileSync(junit, 'utf8') : '';
const cases = xml.matchAll(
  /<testcase name="([^"]*)"[^>]*?status="([^"]*)"[^>]*?(?:\/>|>([^]*?)<\/testcase>)/g,
);
let programs = 0;
for (const [, name, status, body = ''] of cases) {
  programs += 1;
  const text = plain(body);
  // cmocka: "[       OK ] test", "[  FAILED  ] test", "[  SKIPPED ] test"
  const each = (mark) => [...text.matchAll(new RegExp(`^\\[\\s*${mark}\\s*\\] (\\w+)\\s*$`, 'gm'))];
  const names = (mark) => [...new Set(each(mark).map((m) => `c: ${name}: ${m[1]}`))];
  const failed = [...names('FAILED'), ...names('ERROR')];
  summary.failed.push(...failed.map((test) => ({ name: test, reason: 'see above' })));
  // A test that skips says why in the line before, indented; cmocka lists it once more at the end.
  const skipped = new Map();
  for (const { 1: why, 2: test } of text.matchAll(
    /(?:^ {4}(\S.*)\n)?\[ *SKIPPED *\] (\w+)\s*$/gm,
  )) {
    if (!skipped.has(test)) skipped.set(test, why ?? 'it does not say why');
  }
  for (const [test, reason] of skipped) {
    summary.skipped.push({ name: `c: ${name}: ${test}`, reason });
  }
  const passed = each('OK').length;
  summary.passed += passed;
  if (body.includes('<skipped message="SKIP_RETURN_CODE=')) {
    // a whole program that cannot run on this machine says so in a line of its own
    const reason = /^skipped: (.+)$/m.exec(text)?.[1] ?? 'it does not say why';
    summary.skipped.push({ name: `c: ${name}`, reason });
  } else if (status !== 'run' && failed.length === 0) {
    summary.failed.push({ name: `c: ${name}`, reason: `${status}; see above` });
  } else if (status === 'run' && passed === 0) {
    summary.passed += 1; // not a cmocka program (a fuzz target): one test
  }
}
if (xml === '') summary.failed.push({ name: 'c tests', reason: 'ctest left no result' });
writeFileSync(out, JSON.stringify(summary));
process.stderr.write(`c tests: ${programs} programs, ${summary.passed} tests passed\n`);
