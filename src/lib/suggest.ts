// SPDX-License-Identifier: Apache-2.0
/** Helping with mistyped names. */

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  // Optimal string alignment: three rows of the usual table are enough.
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, replace);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    before = above;
    above = row;
  }
  return above[b.length] ?? 0;
}

/** The known name that was probably meant; undefined when none is near. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  // A name far longer than any known one is no typing mistake, and comparing it would cost.
  if (name.length > 100) return undefined;
  const wanted = name.toLowerCase();
  let best: { name: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    const allowed = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3));
    if (distance <= allowed && distance < (best?.distance ?? Infinity)) {
      best = { name: candidate, distance };
    }
  }
  return best?.name;
}

/**
 * A remedy for an unknown name: 'did you mean "pe2"? known tunnels: pe2, pe4', or
 * 'there are no tunnels'.
 * @param what plural, e.g. "tunnels"
 */
export function suggest(name: string, known: readonly string[], what: string): string {
  if (known.length === 0) return `there are no ${what}`;
  const meant = nearest(name, known);
  const shown = known.slice(0, 8).join(', ');
  const list = `known ${what}: ${shown}${known.length > 8 ? ', ...' : ''}`;
  return meant === undefined ? list : `did you mean "${meant}"? ${list}`;
}
