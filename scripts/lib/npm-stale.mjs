// Exits 0 when node_modules holds what package-lock.json says, 1 when `npm ci` is needed.
// Compares with the record npm keeps of what it installed, so it needs no network and ~50 ms.
import { existsSync, readFileSync } from 'node:fs';

const read = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;

function upToDate() {
  if (!existsSync('node_modules/.package-lock.json')) return false;
  const wanted = read('package-lock.json');
  const have = read('node_modules/.package-lock.json');
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '' || entry.link === true) return true;
    const there = have[path];
    // A package for another platform is left out on purpose.
    if (there === undefined) return entry.optional === true || entry.peer === true;
    return there.version === entry.version && there.integrity === entry.integrity;
  });
}

process.exit(upToDate() ? 0 : 1);
