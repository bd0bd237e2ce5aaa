// SPDX-License-Identifier: Apache-2.0
/**
 * Any number of requests of any size from both sides over a network that loses, doubles, delays and reorders: each
 * is handled once at most, each answered with what its handler answered, or failed; none is lost without a word.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EXCHANGE } from '../../../../src/ike/codec/names/registries.js';
import type { Answered, Request } from '../../../../src/ike/channel/api.js';
import { Bench, filler, type Side, SUITES } from './bench.js';

const octet = fc.integer({ min: 0, max: 255 });
const scenario = fc.record({
  seed: fc.integer({ min: 1, max: 1 << 30 }),
  suite: fc.constantFrom('gcm' as const, 'chacha' as const, 'cbc' as const),
  loss: fc.double({ min: 0, max: 0.35, noNaN: true }),
  doubling: fc.double({ min: 0, max: 0.5, noNaN: true }),
  delay: fc.integer({ min: 0, max: 3000 }),
  windows: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
  fragments: fc.tuple(...[0, 1].map(() => fc.constantFrom(undefined, 300, 576, 1280))),
  sizes: fc.tuple(
    fc.array(fc.integer({ min: 12, max: 4000 }), { maxLength: 12 }),
    fc.array(fc.integer({ min: 12, max: 4000 }), { maxLength: 12 }),
  ),
  /** Handlers answer after so many ms, in turn. */
  thinking: fc.array(fc.integer({ min: 0, max: 2000 }), { minLength: 1, maxLength: 4 }),
  answerSizes: fc.array(fc.integer({ min: 12, max: 3000 }), { minLength: 1, maxLength: 4 }),
  mark: octet,
});

/** Which request it was, of those with this side's payloads. */
function numberOf(request: Request): number {
  if (request.fault !== undefined) throw new Error(request.fault.reason);
  const [payload] = request.message.payloads;
  if (payload?.kind !== 'V') throw new Error('another payload');
  return new DataView(payload.data.buffer, payload.data.byteOffset).getUint32(0);
}

function numbered(size: number, number: number, mark: number) {
  const payload = filler(size, mark);
  if (payload.kind === 'V') new DataView(payload.data.buffer).setUint32(0, number);
  return payload;
}

it('each request is handled once and answered, or failed', async () => {
  let [answeredInAll, failedInAll] = [0, 0];
  await fc.assert(
    fc.asyncProperty(scenario, async (s) => {
      const bench = new Bench(s.seed, { tries: 12, firstMs: 1000, factor: 1.5 });
      bench.protect(SUITES[s.suite]);
      bench.weather = s;
      const sides: readonly [Side, Side] = [bench.initiator, bench.responder];
      const handled: [number[], number[]] = [[], []];
      const answers: [(Answered | undefined)[], (Answered | undefined)[]] = [[], []];
      const answerOf = (number: number): number =>
        s.answerSizes[number % s.answerSizes.length] ?? 12;
      sides.forEach((side, i) => {
        const other = sides[1 - i];
        side.channel.ownWindow = s.windows[i] ?? 1;
        if (other !== undefined) other.channel.peerWindow = s.windows[i] ?? 1;
        side.channel.fragmentBytes = s.fragments[i];
        side.channel.onRequest = (request) => {
          const number = numberOf(request);
          handled[i]?.push(number);
          bench.time.after(s.thinking[number % s.thinking.length] ?? 0, () => {
            side.channel.respond(request.message, [numbered(answerOf(number), number, s.mark)]);
          });
        };
      });
      sides.forEach(({ channel }, i) => {
        s.sizes[i]?.forEach((size, number) => {
          answers[i]?.push(undefined);
          const promise = channel.request(EXCHANGE.informational, [numbered(size, number, s.mark)]);
          void promise.then((answer) => ((answers[i] ?? [])[number] = answer));
        });
      });
      await bench.time.pass(10_000_000);
      sides.forEach((side, i) => {
        const all = answers[i] ?? [];
        const byPeer = handled[1 - i] ?? [];
        expect(new Set(byPeer).size).toBe(byPeer.length);
        all.forEach((answer, number) => {
          if (answer === undefined) throw new Error('neither answered nor failed');
          if (answer.ok) {
            expect(byPeer).toContain(number);
            const expected = numbered(answerOf(number), number, s.mark);
            expect(isDeepStrictEqual(answer.response.payloads, [expected])).toBe(true);
            answeredInAll += 1;
          } else {
            expect(answer.failure.code).toBe('TIMEOUT');
            failedInAll += 1;
          }
        });
        expect(side.channel.isIdle).toBe(true);
        expect(side.counts.get('rx_integrity')).toBeUndefined();
        if (s.loss === 0) expect(all.every((answer) => answer?.ok === true)).toBe(true);
      });
      expect(bench.time.pending).toBe(0);
    }),
    { seed: 20261122, numRuns: 150 },
  );
  // The network is bad, not broken: nearly all get through, or the machine gives up too soon.
  expect(answeredInAll).toBeGreaterThan(1000);
  expect(failedInAll).toBeLessThan(answeredInAll / 20);
});
