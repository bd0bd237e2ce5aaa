// SPDX-License-Identifier: Apache-2.0
/** policy-model 8, 11, 24: a route stays on the tunnel it has until its new one is up, and never goes back. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { NextHopKey } from '../../../../src/bgp/rib/next-hops.js';
import type { Protection } from '../../../../src/config/types.js';
import {
  Changeover,
  OLD_LABEL_MS,
  STAY_MS,
  type ChangingRoute,
  type Hop,
} from '../../../../src/vpn/bgp/changeover.js';
import {
  Ingress,
  type ImportTerms,
  type Signalled,
  type TunnelChoice,
} from '../../../../src/vpn/bgp/ingress.js';
import { capability, REMOTE, TERMS } from './capable.js';

const PREFIX: ChangingRoute = {
  ...{ vrf: 5, family: 4, prefix: Uint8Array.of(10, 2, 0, 0), length: 16 },
};
/** Rows of the tunnels to the egress. */
const ROWS: Readonly<Record<Protection, number>> = {
  ...{ encrypt: 11, authenticate: 12, tunnel: 13, mpls: 14 },
};
const choiceOf = (protection: Protection): TunnelChoice => ({
  ...{ protection, encapsulation: protection === 'mpls' ? 'none' : 'gre' },
});

class Bench {
  now = 0;
  readonly up = new Set<Protection>();
  installed: Hop | undefined;
  asked: ChangingRoute[] = [];
  readonly ingress = new Ingress(capability());
  #timer: (() => void) | undefined;
  readonly changeover = new Changeover({
    now: () => this.now,
    after: (_, action) => {
      this.#timer = action;
      return () => {
        this.#timer = undefined;
      };
    },
    installed: () => this.installed,
    tunnels: () =>
      [...this.up].map((protection) => ({ ...choiceOf(protection), row: ROWS[protection] })),
    whileWaiting: (choice, old) => this.ingress.whileWaiting(choice, old),
    isWaiting: ({ protection }) => {
      const meaning = this.ingress.meaning(protection);
      return meaning !== undefined && !this.up.has(meaning.protection);
    },
    again: (route) => this.asked.push(route),
  });

  key(signalled: Signalled, terms: Partial<ImportTerms> = {}): NextHopKey {
    const protection = this.ingress.choose(REMOTE, signalled, { ...TERMS, ...terms });
    return { vrf: 0, address: REMOTE, protection };
  }

  /** As the writer of rows does: what the route is sent by from now on. */
  write(signalled: Signalled, label: number, terms: Partial<ImportTerms> = {}): Hop {
    const key = this.key(signalled, terms);
    const chosen = { row: ROWS[this.ingress.meaning(key.protection)!.protection], label };
    const waits = !this.up.has(this.ingress.meaning(key.protection)!.protection);
    const kept = waits ? this.changeover.instead(PREFIX, key, chosen) : undefined;
    if (!waits) this.changeover.over(PREFIX);
    this.installed = kept ?? chosen;
    return this.installed;
  }

  /** The timer's turn. */
  turn(ms: number): void {
    this.now += ms;
    const due = this.#timer;
    this.#timer = undefined;
    due?.();
  }
}

type Asked = NonNullable<Signalled['protections']>[number];
const says = (...protections: readonly Asked[]): Signalled => ({
  ...{ protections, encapsulations: ['gre'] },
});
const floorOf = (floor: Protection): Partial<ImportTerms> => ({ floor: () => floor });
const MPLS_TOO: Signalled = { ...says('encrypt'), alsoMpls: true };

let b: Bench;
beforeEach(() => {
  b = new Bench();
  b.up.add('tunnel').add('mpls');
});

describe('a stronger protection, while the egress takes the old one too', () => {
  it('comes when its SA is up; meanwhile the old tunnel has the new label', () => {
    expect(b.write(says('tunnel'), 100)).toEqual({ row: 13, label: 100 });
    expect(b.write(says('encrypt', 'tunnel'), 101)).toEqual({ row: 13, label: 101 });
    b.turn(500);
    expect(b.asked).toEqual([]);
    b.up.add('encrypt');
    b.turn(500);
    expect(b.asked).toEqual([PREFIX]);
    expect(b.write(says('encrypt', 'tunnel'), 101)).toEqual({ row: 11, label: 101 });
    expect(b.changeover.size).toBe(0);
    // And never goes back.
    b.up.delete('encrypt');
    expect(b.write(says('encrypt', 'tunnel'), 101)).toEqual({ row: 11, label: 101 });
  });

  it('comes after a while even without SA: nothing is sent then, and nothing weaker again', () => {
    b.write(says('tunnel'), 100);
    b.write(says('encrypt', 'tunnel'), 100);
    for (let ms = 0; ms < STAY_MS - 500; ms += 500) b.turn(500);
    expect(b.write(says('encrypt', 'tunnel'), 100)).toEqual({ row: 13, label: 100 });
    b.turn(500);
    expect(b.asked).toHaveLength(1);
    expect(b.write(says('encrypt', 'tunnel'), 100)).toEqual({ row: 11, label: 100 });
    expect(b.write(says('encrypt', 'tunnel'), 100)).toEqual({ row: 11, label: 100 });
  });

  it('plain MPLS goes on when the community says so, and only then', () => {
    b.installed = { row: ROWS.mpls, label: 100 };
    expect(b.write(MPLS_TOO, 100)).toEqual({ row: 14, label: 100 });
    expect(b.write(says('encrypt'), 100)).toEqual({ row: 11, label: 100 });
    b.installed = { row: ROWS.mpls, label: 100 };
    const floor = floorOf('authenticate');
    expect(b.write(MPLS_TOO, 100, floor)).toEqual({ row: 11, label: 100 });
  });
});

describe('is sent by the new way at once', () => {
  it('when the route is new, or leads elsewhere, or the old tunnel is down', () => {
    expect(b.write(says('encrypt', 'tunnel'), 100)).toEqual({ row: 11, label: 100 });
    b.installed = { row: 99, label: 100 };
    expect(b.write(says('encrypt', 'tunnel'), 100)).toEqual({ row: 11, label: 100 });
    b.installed = { row: ROWS.tunnel, label: 100 };
    b.up.delete('tunnel');
    expect(b.write(says('encrypt', 'tunnel'), 100)).toEqual({ row: 11, label: 100 });
  });

  it('when the egress takes the old protection no more, or the floor rose above it', () => {
    b.write(says('tunnel'), 100);
    expect(b.write(says('encrypt'), 100)).toEqual({ row: 11, label: 100 });
    b.installed = { row: ROWS.tunnel, label: 100 };
    const floor = floorOf('encrypt');
    expect(b.write(says('encrypt', 'tunnel'), 100, floor)).toEqual({ row: 11, label: 100 });
    b.installed = { row: ROWS.tunnel, label: 100 };
    const protections = ['encrypt'] as const;
    expect(b.write(says('encrypt', 'tunnel'), 100, { protections })).toEqual({
      ...{ row: 11, label: 100 },
    });
  });

  it('when the old tunnel goes while it waits', () => {
    b.write(says('tunnel'), 100);
    b.write(says('encrypt', 'tunnel'), 100);
    b.up.delete('tunnel');
    b.turn(500);
    expect(b.asked).toHaveLength(1);
    expect(b.write(says('encrypt', 'tunnel'), 100)).toEqual({ row: 11, label: 100 });
  });
});

describe('another protection that is no stronger', () => {
  it('comes when its SA is up; meanwhile the old tunnel has the old label, for a short time', () => {
    b.up.add('encrypt');
    b.write(says('encrypt'), 100);
    expect(b.write(says('authenticate'), 101)).toEqual({ row: 11, label: 100 });
    b.up.add('authenticate');
    b.turn(500);
    expect(b.write(says('authenticate'), 101)).toEqual({ row: 12, label: 101 });
    b.up.delete('authenticate');
    b.installed = { row: 11, label: 100 };
    b.write(says('authenticate'), 101);
    for (let ms = 0; ms < OLD_LABEL_MS; ms += 500) b.turn(500);
    expect(b.write(says('authenticate'), 101)).toEqual({ row: 12, label: 101 });
  });
});

it('follows nothing any more when it is closed', () => {
  b.write(says('tunnel'), 100);
  b.write(says('encrypt', 'tunnel'), 100);
  b.changeover.close();
  b.up.add('encrypt');
  b.turn(500);
  expect([b.asked, b.changeover.size]).toEqual([[], 0]);
});
