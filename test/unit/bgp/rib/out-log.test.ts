// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { isMarker, type NodeId, OutLog } from '../../../../src/bgp/rib/out-log.js';

/** What isAtEnd means, step by step. */
function walkedToEnd(log: OutLog, marker: NodeId): boolean {
  let node = log.next(marker);
  while (node !== 0 && isMarker(node)) node = log.next(node);
  return node === 0;
}

describe("a group's log", () => {
  it('knows which markers are at its end after any history', () => {
    let state = 3;
    const below = (limit: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 16) % limit;
    };
    const log = new OutLog();
    const entries = new Set<NodeId>();
    const markers: NodeId[] = [];
    let atEnd = 0;
    const changeEntry = (entry: NodeId): void => {
      if (!entries.has(entry)) {
        log.add(entry, entry);
        entries.add(entry);
      } else if (below(2) === 0) {
        log.remove(entry);
        entries.delete(entry);
      } else log.touch(entry);
    };
    const changeMarker = (marker: NodeId): void => {
      const others = [...entries, ...markers].filter((one) => one !== marker);
      const other = others[below(Math.max(1, others.length))];
      const kind = below(4);
      if (kind === 0) {
        markers.splice(markers.indexOf(marker), 1);
        log.freeMarker(marker);
      } else if (kind === 1) log.moveToFront(marker);
      else if (other !== undefined) log.moveBehind(marker, other);
    };
    for (let step = 0; step < 5000; step++) {
      const marker = markers[below(Math.max(1, markers.length))];
      if (below(2) === 0) changeEntry(1 + below(12));
      else if (marker === undefined || (markers.length < 8 && below(4) === 0)) {
        markers.push(log.newMarker());
      } else changeMarker(marker);
      for (const one of markers) {
        expect(log.isAtEnd(one)).toBe(walkedToEnd(log, one));
        if (log.isAtEnd(one)) atEnd++;
      }
    }
    expect(atEnd).toBeGreaterThan(1000);
  });
});
