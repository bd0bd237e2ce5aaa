// SPDX-License-Identifier: Apache-2.0
/** Handing over, closing at any moment, openings at once, mistakes of ours. */
import { describe, expect, it } from 'vitest';
import { failed, opened, World } from './bench.js';

const IKE_AUTH = 35;

/** Nothing is left of it in either data plane. */
const nothingLeft = ({ a, b, time }: World): void => {
  expect([a.plane.live, b.plane.live]).toEqual([[], []]);
  expect([a.plane.reserved.size, b.plane.reserved.size]).toEqual([0, 0]);
  expect(time.pending).toBe(0);
};

describe('requests of the peer as soon as it is up', () => {
  it('are for the new owner, whenever he takes over', async () => {
    const world = new World();
    const { createChannel } = world.b.env;
    Object.assign(world.b.env, {
      createChannel: (...given: Parameters<typeof createChannel>) => {
        const channel = createChannel(...given);
        const respond = channel.respond.bind(channel);
        channel.respond = (to, payloads) => {
          const sent = respond(to, payloads);
          // b --- INFORMATIONAL --> a, right behind its answer to IKE_AUTH
          if (to.header.exchange === IKE_AUTH) void channel.request(37, []);
          return sent;
        };
        return channel;
      },
    });
    const ike = world.a.open();
    await world.time.pass(0);
    expect(opened(ike).child).toBeDefined();
    expect(world.a.requests).toHaveLength(1);
    expect(world.time.pending).toBe(0);
  });
});

describe('closing', () => {
  /** All promises may go on so many times; then it is closed. */
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await Promise.resolve();
  };

  it('by the signal that it was given', async () => {
    const world = new World();
    const stop = new AbortController();
    const ike = world.a.open({}, stop.signal);
    stop.abort();
    await world.time.pass(0);
    expect(failed(ike)).toMatchObject({ code: 'CLOSED', by: 'us' });
    const early = world.a.open({}, stop.signal);
    await world.time.pass(0);
    expect(failed(early).code).toBe('CLOSED');
    nothingLeft(world);
  });

  it.each(['a', 'b'] as const)(
    '%s, at any turn of any promise, leaves nothing behind',
    async (who) => {
      const policy = { retransmission: { firstMs: 500, factor: 1, tries: 3, jitter: 0 } };
      let open = 0;
      for (let datagram = 0; datagram < 4; datagram++) {
        for (let turn = 0; turn < 50; turn++) {
          const world = new World({ policy }, { policy, expireMs: 3000 });
          let closing: Promise<void> | undefined;
          const deliver = world.deliver.bind(world);
          world.deliver = (carried) => {
            deliver(carried);
            if (carried !== world.wire[datagram]) return;
            closing = turns(turn).then(() => {
              (who === 'a' ? ike : world.b.responded[0])?.opening.close();
            });
          };
          const ike = world.a.open();
          await world.time.pass(0);
          await closing;
          await world.time.pass(10_000);
          // A responder that forgot all may be asked again by the same IKE_SA_INIT, sent again.
          const mine = who === 'a' ? [ike] : world.b.responded;
          const up = mine.filter(({ outcome }) => outcome?.ok === true);
          open += up.length;
          for (const each of mine.filter((one) => !up.includes(one))) {
            expect(['CLOSED', 'TIMEOUT']).toContain(failed(each).code);
          }
          const { plane } = world.host(who);
          const active = who === 'a' ? up.length : 0;
          expect([plane.live.length, plane.active.size]).toEqual([up.length, active]);
          expect(plane.reserved.size).toBe(up.length);
          expect(world.time.pending).toBe(0);
        }
      }
      // Closed after it was open it is the new owner's to close.
      expect(open).toBeGreaterThan(0);
      expect(open).toBeLessThan(200);
    },
  );
});

describe('openings at once', () => {
  it('both open towards each other: two IKE SAs, each sound by itself', async () => {
    const world = new World();
    const [one, two] = [world.a.open(), world.b.open()];
    await world.time.pass(0);
    expect(opened(one).skD).toEqual(opened(world.b.responded[0]).skD);
    expect(opened(two).skD).toEqual(opened(world.a.responded[0]).skD);
    expect(opened(one).skD).not.toEqual(opened(two).skD);
    expect(world.time.pending).toBe(0);
  });

  it('many of one host, interleaved', async () => {
    const world = new World({}, {}, 5);
    world.weather = { loss: 0.1, doubling: 0.2, delay: 400 };
    const all = Array.from({ length: 20 }, () => world.a.open());
    await world.time.pass(200_000);
    const bySpi = new Map(
      world.b.responded.flatMap(({ outcome }) =>
        outcome?.ok === true ? [[outcome.value.responderSpi, outcome.value.skD] as const] : [],
      ),
    );
    for (const ike of all) expect(bySpi.get(opened(ike).responderSpi)).toEqual(opened(ike).skD);
    expect(new Set(all.map((ike) => opened(ike).skD.toString('hex'))).size).toBe(20);
  });
});

describe('a mistake of ours', () => {
  it.each(['a', 'b'] as const)('at %s ends the opening, not the process', async (who) => {
    const world = new World();
    Object.assign(world.host(who).env.authenticator, {
      verify: () => Promise.reject(new RangeError('index out of bounds')),
    });
    const ike = world.a.open();
    await world.time.pass(60_000);
    const mine = who === 'a' ? ike : world.b.responded[0];
    expect(failed(mine)).toMatchObject({ code: 'INTERNAL', by: 'us' });
    expect(world.host(who).lines.join('\n')).toMatch(/error .*index out of bounds/);
    expect(world.b.counts.has('half_open_expired')).toBe(false);
    expect([world.host(who).plane.live, world.host(who).plane.reserved.size]).toEqual([[], 0]);
    expect(world.time.pending).toBe(0);
  });
});
