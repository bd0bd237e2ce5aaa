// SPDX-License-Identifier: Apache-2.0
/** Whatever both ends do and whatever the network does to it: in the end they agree, and nothing is left over. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Retransmission } from '../../../../src/ike/channel/api.js';
import type { EspProposal } from '../../../../src/ike/negotiation/types.js';
import type { Weather } from '../channel/bench.js';
import { IKE, type Name, SaBench, type Settings, type Side } from './bench.js';
import { GCM, keyOf, LIFETIMES, policyOf } from './plane.js';

/** Patient enough that no peer is taken for dead. */
const RETRANSMISSION: Retransmission = { firstMs: 400, factor: 1.2, tries: 24, jitter: 0.3 };
const PROTOCOL_137 = { service: 'encrypt/mpls', protocol: 137 };

type What = 'rekeyChild' | 'rekeyIke' | 'closeChild' | 'want';
interface Action {
  readonly side: Name;
  readonly what: What;
  readonly which: number;
  readonly afterMs: number;
}

const weather: fc.Arbitrary<Weather> = fc.record({
  loss: fc.constantFrom(0, 0.1, 0.3),
  doubling: fc.constantFrom(0, 0.2),
  delay: fc.constantFrom(0, 20, 300, 1500),
});
const actions = (...what: What[]): fc.Arbitrary<Action[]> =>
  fc.array(
    fc.record({
      side: fc.constantFrom<Name>('a', 'b'),
      what: fc.constantFrom(...what),
      which: fc.nat(1),
      afterMs: fc.constantFrom(0, 0, 5, 50, 400, 3000),
    }),
    { minLength: 1, maxLength: 12 },
  );

function act(bench: SaBench, { side, what, which }: Action): Promise<unknown> {
  const { sa } = bench[side];
  const { children } = sa;
  const child = children[which % Math.max(1, children.length)];
  switch (what) {
    case 'rekeyIke':
      return sa.rekeyIke();
    case 'want':
      return sa.want(bench.policyOf(side, which), 0);
    default:
      return child === undefined ? Promise.resolve() : sa[what](child.inboundSpi);
  }
}

/** "service: inbound outbound keys", of the live ones. */
const livesOf = ({ sa, plane }: Side, isMirrored: boolean): string[] =>
  sa.children
    .map((child) => {
      const { inboundKeys, outboundKeys } = plane.inbound.get(child.inboundSpi)!;
      const own = [
        [child.inboundSpi, inboundKeys],
        [child.outboundSpi, outboundKeys],
      ];
      return `${keyOf(child)}: ${(isMirrored ? own.reverse() : own).join(' ')}`;
    })
    .sort();

/** Nothing is under way just now. */
const isQuiet = ({ a, b, time }: SaBench): boolean =>
  time.now() > 0 &&
  [a, b].every(
    ({ sa, plane, known }) =>
      known.size === 1 &&
      sa.row().children.every(({ state }) => state === 'live') &&
      plane.inbound.size === sa.children.length &&
      plane.active.size === sa.children.length,
  );

function expectAgreement(bench: SaBench): void {
  const { a, b } = bench;
  expect([a.isClosed, b.isClosed]).toEqual([false, false]);
  // One IKE SA, the same, with the same keys: each can decrypt what the other sends.
  expect([a.known.size, b.known.size]).toEqual([1, 1]);
  expect([a.sa.open.initiatorSpi, a.sa.open.responderSpi]).toEqual([
    b.sa.open.initiatorSpi,
    b.sa.open.responderSpi,
  ]);
  expect(a.sa.open.skD).toEqual(b.sa.open.skD);
  for (const { sa, plane } of [a, b]) {
    const rows = sa.row().children;
    expect(sa.phase).toBe('established');
    expect(rows.filter(({ state }) => state !== 'live')).toEqual([]);
    const services = rows.map(({ service, resource }) => `${service}#${resource}`);
    expect(new Set(services).size).toBe(services.length);
    // Each is in use; nothing else is installed or reserved.
    const spis = sa.children.map(({ inboundSpi }) => inboundSpi).sort();
    expect([...plane.inbound.keys()].sort()).toEqual(spis);
    expect([...plane.reserved].sort()).toEqual(spis);
    expect([...plane.active.values()].map(({ inboundSpi }) => inboundSpi).sort()).toEqual(spis);
  }
  expect(livesOf(a, false)).toEqual(livesOf(b, true));
}

/** Key exchanges, additional ones, several requests at once, short lives. */
const kinds: fc.Arbitrary<Settings> = fc
  .record({
    ke: fc.constantFrom<EspProposal['ke'][]>([], [31]),
    additional: fc.boolean(),
    window: fc.constantFrom(1, 4),
    softSeconds: fc.constantFrom(0, 15),
  })
  .map(({ ke, additional, window, softSeconds }) => {
    const rest = additional && ke.length > 0 ? [[19 as const]] : [];
    const proposals = [{ ...GCM, ke, additional: rest }];
    const lifetimes = { ...LIFETIMES, softSeconds, jitter: 0.1 };
    return {
      window,
      policy: {
        proposals: [{ ...IKE, additional: additional ? [[19 as const]] : [] }],
        children: (local, remote) => [
          policyOf(local, remote, { proposals, lifetimes }),
          policyOf(local, remote, { ...PROTOCOL_137, proposals, lifetimes }),
        ],
      },
    };
  });

async function run(
  settings: Settings,
  conditions: Weather,
  plan: readonly Action[],
  first: number,
): Promise<string[]> {
  const bench = new SaBench({
    children: [PROTOCOL_137],
    ...settings,
    policy: { ...settings.policy, retransmission: RETRANSMISSION },
  });
  for (let i = 0; i < first; i++) await bench.child('a', i);
  const losses = bench.watchLosses();
  bench.weather = conditions;
  const pending = new Set<Promise<unknown>>();
  for (const action of plan) {
    const doing = act(bench, action);
    pending.add(doing);
    void doing.then(() => pending.delete(doing));
    await bench.time.pass(action.afterMs);
  }
  await bench.time.pass(20_000);
  bench.weather = { loss: 0, doubling: 0, delay: 1 };
  await bench.time.pass(600_000);
  expect(pending.size).toBe(0);
  for (let i = 0; i < 20 && !isQuiet(bench); i++) await bench.time.pass(1000);
  expectAgreement(bench);
  // And they still understand each other.
  const more = bench.b.sa.want(bench.policyOf('b'), 0);
  await bench.time.pass(1000);
  expect((await more).ok).toBe(true);
  return losses;
}

describe('any actions of both ends in any weather', () => {
  it('converge, and rekeying loses nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1_000_000),
        weather,
        actions('rekeyChild', 'rekeyChild', 'rekeyIke'),
        async (seed, conditions, plan) => {
          expect(await run({ seed }, conditions, plan, 2)).toEqual([]);
        },
      ),
      { numRuns: Number(process.env['SA_RUNS'] ?? 60) },
    );
  });

  it('converge with key exchanges, several requests at once and short lives', async () => {
    await fc.assert(
      fc.asyncProperty(
        kinds,
        fc.nat(1_000_000),
        weather,
        actions('rekeyChild', 'rekeyIke', 'closeChild', 'want'),
        async (settings, seed, conditions, plan) => {
          await run({ ...settings, seed }, conditions, plan, 2);
        },
      ),
      { numRuns: Number(process.env['SA_RUNS'] ?? 25) },
    );
  });

  it('converge with creations and deletes as well', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1_000_000),
        weather,
        actions('rekeyChild', 'rekeyIke', 'closeChild', 'want'),
        fc.nat(2),
        async (seed, conditions, plan, first) => {
          await run({ seed }, conditions, plan, first);
        },
      ),
      { numRuns: Number(process.env['SA_RUNS'] ?? 60) },
    );
  });
});
