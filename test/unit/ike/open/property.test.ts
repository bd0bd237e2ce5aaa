// SPDX-License-Identifier: Apache-2.0
/** Any loss, doubling, reordering and delay: an opening comes to one end, and to the same at both. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { KE_NONE } from '../../../../src/ike/negotiation/types.js';
import { failed, MLKEM512, opened, P256, proposalOf, World, X25519 } from './bench.js';

const PROPOSALS = [
  proposalOf([X25519]),
  proposalOf([P256, X25519]),
  proposalOf([X25519, P256]),
  proposalOf([X25519], [[MLKEM512]]),
  proposalOf([X25519, P256], [[MLKEM512, KE_NONE], [P256]]),
];

it('both open, with the same keys and child SA, or the initiator gives up', async () => {
  let both = 0;
  const share = (most: number) => fc.double({ min: 0, max: most, noNaN: true });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        weather: fc.record({ loss: share(0.35), doubling: share(0.5), delay: share(1500) }),
        ours: fc.shuffledSubarray(PROPOSALS, { minLength: 1 }),
        theirs: fc.shuffledSubarray(PROPOSALS, { minLength: 1 }),
        wantsCookies: fc.boolean(),
        fragmentBytes: fc.constantFrom(undefined, 576, 1280),
        seed: fc.nat(),
      }),
      async ({ weather, ours, theirs, wantsCookies, fragmentBytes, seed }) => {
        const policy = { fragmentBytes };
        const world = new World(
          { policy: { ...policy, proposals: ours } },
          { policy: { ...policy, proposals: theirs }, wantsCookies },
          seed,
        );
        world.weather = weather;
        const ike = world.a.open();
        await world.time.pass(600_000);
        expect(ike.outcome).toBeDefined();
        expect(world.b.responded.every(({ outcome }) => outcome !== undefined)).toBe(true);
        expect(world.time.pending).toBe(0);
        if (ike.outcome?.ok !== true) {
          expect(['TIMEOUT', 'NO_PROPOSAL_CHOSEN', 'AUTHENTICATION_FAILED']).toContain(
            failed(ike).code,
          );
          expect([world.a.plane.live, world.a.plane.reserved.size]).toEqual([[], 0]);
          return;
        }
        both += 1;
        const up = world.b.responded.filter(({ outcome }) => outcome?.ok === true);
        expect(up).toHaveLength(1);
        const [mine, other] = [opened(ike), opened(up[0])];
        expect(mine.skD).toEqual(other.skD);
        expect(mine.keyExchanges).toEqual(other.keyExchanges);
        expect(mine.child?.inboundSpi).toBe(other.child?.outboundSpi);
        expect([world.a.plane.live.length, world.b.plane.live.length]).toEqual([1, 1]);
      },
    ),
    { numRuns: 150, seed: 4 },
  );
  expect(both).toBeGreaterThan(75);
}, 120_000);
