// SPDX-License-Identifier: Apache-2.0
/** Postquantum preshared keys (RFC 8784): the table of §3, row by row, between two peers. */
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { NOTIFY } from '../../../../src/ike/codec/names/notify.js';
import type { Payload } from '../../../../src/ike/codec/payload.js';
import {
  authWithoutPpk,
  judgePpk,
  namesPpk,
  noPpkAuth,
  ppkIdentity,
} from '../../../../src/ike/open/ppk.js';
import type { Ppk } from '../../../../src/ike/policy.js';
import { failed, type HostOptions, notifiesIn, opened, World } from './bench.js';

const ppk = (id: string, required: boolean, key = 'of 256 bits, and known to two alone'): Ppk => ({
  ...{ id: Buffer.from(id), key: Buffer.from(key), required },
});
const having = (one: Ppk | undefined): HostOptions => ({ policy: { ppk: one } });

type End = 'used' | 'without' | 'aborted';

describe('between two peers', () => {
  const [one, must] = [ppk('one', false), ppk('one', true)];
  it.each<[string, Ppk | undefined, Ppk | undefined, End, 'a' | 'b' | undefined]>([
    // a's, b's, what comes of it, who counts ppk_failed
    ['nobody has one', undefined, undefined, 'without', undefined],
    ['only b, optional', undefined, one, 'without', undefined],
    ['only b, required: b aborts', undefined, must, 'aborted', 'b'],
    ['only a, optional: b has not said USE_PPK', one, undefined, 'without', undefined],
    ['only a, required: a aborts', must, undefined, 'aborted', 'a'],
    ['both, optional', one, one, 'used', undefined],
    ['both, required by a', must, one, 'used', undefined],
    ['both, required by b', one, must, 'used', undefined],
    ['both, required by both', must, must, 'used', undefined],
    ['another one, optional at both', one, ppk('two', false), 'without', undefined],
    ['another one, required by a', must, ppk('two', false), 'aborted', 'b'],
    ['another one, required by b', one, ppk('two', true), 'aborted', 'b'],
  ])('%s', async (_name, ofA, ofB, end, counts) => {
    const world = new World(having(ofA), having(ofB));
    const ike = world.a.open();
    await world.time.pass(60_000);
    const { a, b } = world;
    expect(a.counts.get('ppk_failed')).toBe(counts === 'a' ? 1 : undefined);
    expect(b.counts.get('ppk_failed')).toBe(counts === 'b' ? 1 : undefined);
    if (end === 'aborted') {
      expect(failed(ike).code).toBe('AUTHENTICATION_FAILED');
      expect(failed(b.responded[0])).toBeDefined();
      expect([a.plane.live, b.plane.live, a.plane.reserved.size]).toEqual([[], [], 0]);
      return;
    }
    const [ours, theirs] = [opened(ike), opened(b.responded[0])];
    expect([ours.isPpkUsed, theirs.isPpkUsed]).toEqual([end === 'used', end === 'used']);
    expect(ours.skD).toEqual(theirs.skD);
    const plain = a.derived.at(-1)?.d ?? Buffer.alloc(0);
    const mixed = createHmac('sha256', ofA?.key ?? '')
      .update(plain)
      .update(Uint8Array.of(1))
      .digest();
    expect(ours.skD).toEqual(end === 'used' ? mixed : plain);
    expect([...a.plane.inbound.values()][0]?.inboundKeys).toBe(
      [...b.plane.inbound.values()][0]?.outboundKeys,
    );
  });

  it('the same name, other keys: AUTH does not verify, whether it is required or not', async () => {
    for (const required of [false, true]) {
      const world = new World(
        having(ppk('one', required)),
        having(ppk('one', required, 'another')),
      );
      const ike = world.a.open();
      await world.time.pass(60_000);
      expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'peer' });
      expect(world.b.counted()).toMatchObject({ auth_failed: 1 });
    }
  });

  it('a responder that answers without, where it is required, is told so', async () => {
    const silent = (_: number, payloads: readonly Payload[]): readonly Payload[] =>
      payloads.filter((each) => each.kind !== 'N' || each.notify !== NOTIFY.PPK_IDENTITY);
    const world = new World(having(must), { ...having(must), says: silent });
    const ike = world.a.open();
    await world.time.pass(60_000);
    expect(failed(ike)).toMatchObject({ code: 'AUTHENTICATION_FAILED', by: 'us' });
    expect(world.a.counted()).toMatchObject({ ppk_failed: 1 });
    // b had believed that it was up.
    const goodbye = world.b.requests[0];
    if (goodbye?.fault !== undefined) throw new Error();
    expect(goodbye?.message.payloads).toMatchObject([{ notify: NOTIFY.AUTHENTICATION_FAILED }]);
  });

  it('USE_PPK is said by who has one, and answered by who has one', async () => {
    const world = new World(having(one), having(one));
    world.a.open();
    await world.time.pass(0);
    const [request, response] = world.wire;
    if (request === undefined || response === undefined) throw new Error();
    expect(notifiesIn(request)).toContain(NOTIFY.USE_PPK);
    expect(notifiesIn(response)).toContain(NOTIFY.USE_PPK);
  });
});

describe('Table 1 of RFC 8784', () => {
  const [yes, no] = [true, false];
  it.each([
    // Received USE_PPK, received NO_PPK_AUTH, configured with PPK, PPK is mandatory
    [no, no, no, no, 'without'],
    [no, no, yes, no, 'without'],
    [no, no, yes, yes, 'abort'],
    [yes, no, no, no, 'abort'],
    [yes, no, no, yes, 'abort'],
    [yes, yes, no, yes, 'abort'],
    [yes, yes, no, no, 'without'],
    [yes, no, yes, no, 'use'],
    [yes, no, yes, yes, 'use'],
    [yes, yes, yes, no, 'use'],
    [yes, yes, yes, yes, 'use'],
  ] as const)(
    '%s %s %s %s: %s',
    (isOffered, isOptionalThere, isConfigured, isRequiredHere, action) => {
      expect(judgePpk({ isOffered, isOptionalThere, isConfigured, isRequiredHere })).toBe(action);
    },
  );
});

describe('notifies', () => {
  it('PPK_IDENTITY is of type PPK_ID_FIXED', () => {
    const payload = ppkIdentity(ppk('pe1', false));
    const data = payload.kind === 'N' ? Buffer.from(payload.data) : Buffer.alloc(0);
    expect(data.toString('latin1')).toBe('\u0002pe1');
    expect(namesPpk(data, ppk('pe1', false))).toBe(true);
    expect(namesPpk(data, ppk('pe2', false))).toBe(false);
    expect(namesPpk(Buffer.from('\u0001pe1', 'latin1'), ppk('pe1', false))).toBe(false);
    expect(namesPpk(Buffer.alloc(0), ppk('', false))).toBe(false);
  });

  it('NO_PPK_AUTH is Authentication Data, of digital signatures with the algorithm', () => {
    const algorithm = Buffer.from('300506032b6570', 'hex');
    const auth = { kind: 'AUTH', method: 14, algorithm, data: Buffer.alloc(64, 5) } as const;
    const notify = noPpkAuth(auth);
    const data = notify.kind === 'N' ? Buffer.from(notify.data) : Buffer.alloc(0);
    expect(data.toString('hex')).toBe(`07300506032b6570${'05'.repeat(64)}`);
    expect(authWithoutPpk(14, data)).toEqual(auth);
    expect(authWithoutPpk(14, Buffer.from('ff', 'hex'))).toBeUndefined();
    expect(authWithoutPpk(2, Buffer.alloc(32, 1))).toEqual({
      ...{ kind: 'AUTH', method: 2, data: Buffer.alloc(32, 1) },
    });
  });
});
