// SPDX-License-Identifier: Apache-2.0
/** Two PEs: one IKE SA and one child SA pair per service, however it began. */
import { expect, test } from 'vitest';
import { lost } from '../sa/plane.js';
import { Net, type Pe } from './bench.js';

const [A, B] = ['10.0.0.1', '10.0.0.2'];
const SERVICES = [{}, { service: 'encrypt/137', protocol: 137 }];

/** Nothing that either sends would be dropped, at any moment of so long; each has a way to send. */
async function passLossless(net: Net, ms: number, a: Pe, b: Pe, services = 1): Promise<void> {
  for (let at = 0; at < ms; at += 100) {
    await net.pass(100);
    expect([lost(a.plane, b.plane), lost(b.plane, a.plane)]).toEqual([[], []]);
    expect([a.plane.active.size, b.plane.active.size]).toEqual([services, services]);
  }
}

test('who wants a child SA opens the IKE SA; the peer takes it, though nobody there wants it', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  // A: want --> IKE_SA_INIT, IKE_AUTH --> up
  const { told } = a.want(b);
  expect(told).toEqual([{ state: 'pending' }]);
  await net.pass(1000);
  const [child] = a.plane.active.values();
  expect(told.slice(1)).toEqual([{ state: 'up', inboundSpi: child?.inboundSpi }]);
  expect(a.rows).toEqual([`initiator of ${B} established: encrypt/gre live`]);
  expect(b.rows).toEqual([`responder of ${A} established: encrypt/gre live`]);
  expect([lost(a.plane, b.plane), lost(b.plane, a.plane)]).toEqual([[], []]);
  // B: want --> what is there already
  const wanted = b.want(a);
  await net.pass(10);
  expect(wanted.told.at(-1)).toEqual({ state: 'up', inboundSpi: child?.outboundSpi });
  expect(net.wire).toHaveLength(4);
});

test('the peer that answered sends by the child SA only when who opened it has the keys', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  const seen: string[][] = [];
  for (const { plane } of [a, b]) {
    plane.onChange = () => {
      seen.push(lost(a.plane, b.plane), lost(b.plane, a.plane));
    };
  }
  a.want(b);
  // A: IKE_AUTH --> B has the keys of both <-- the answer is on its way: A has none
  await net.pass(1000);
  expect([a.plane.active.size, b.plane.active.size]).toEqual([1, 1]);
  expect(seen).toEqual([[], [], [], []]);
});

test('a second service is a child SA of the same IKE SA; one that nobody wants is not asked for', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A, { services: SERVICES }), net.pe(B, { services: SERVICES })];
  const first = a.want(b);
  const second = a.want(b, 1);
  await net.pass(1000);
  expect([first, second].map(({ told }) => told.at(-1)?.state)).toEqual(['up', 'up']);
  expect(b.rows).toEqual([`responder of ${A} established: encrypt/gre live, encrypt/137 live`]);
});

test('both open at once: the same one stays on both sides, and nothing is lost meanwhile', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    const net = new Net(seed);
    const [a, b] = [net.pe(A), net.pe(B)];
    // A --> IKE_SA_INIT <-- B, both answered, both authenticated
    const [ofA, ofB] = [a.want(b), b.want(a)];
    await net.pass(100);
    expect([a.rows.length, b.rows.length]).toEqual([2, 2]);
    // Who opened the one that stays closes the other, once both ends have both.
    await passLossless(net, 8000, a, b);
    expect([a.rows.length, b.rows.length]).toEqual([1, 1]);
    const [rowA, rowB] = [a.manager.rows(undefined, 9)[0], b.manager.rows(undefined, 9)[0]];
    expect(rowA?.initiatorSpi).toBe(rowB?.initiatorSpi);
    expect(a.count('duplicates_closed') + b.count('duplicates_closed')).toBe(1);
    const [up] = a.plane.active.values();
    expect(ofA.told.at(-1)).toEqual({ state: 'up', inboundSpi: up?.inboundSpi });
    expect(ofB.told.at(-1)).toEqual({ state: 'up', inboundSpi: up?.outboundSpi });
    expect(ofA.told.map(({ state }) => state)).not.toContain('failed');
  }
});

test('each opened for another service: both child SAs are in the one that stays', async () => {
  const net = new Net(3);
  const [a, b] = [net.pe(A, { services: SERVICES }), net.pe(B, { services: SERVICES })];
  const [ofA, ofB] = [a.want(b), b.want(a, 1)];
  await net.pass(100);
  expect([a.rows.length, b.rows.length]).toEqual([2, 2]);
  await passLossless(net, 20_000, a, b, 2);
  expect(a.rows).toHaveLength(1);
  expect(a.rows[0]).toMatch(
    /encrypt\/gre live.*encrypt\/137 live|encrypt\/137 live.*encrypt\/gre live/,
  );
  expect([ofA.told.at(-1)?.state, ofB.told.at(-1)?.state]).toEqual(['up', 'up']);
});

test('a peer that dies is noticed, and asked for again with growing pauses until it is back', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A), net.pe(B)];
  const { told } = a.want(b);
  await net.pass(1000);
  b.kill();
  // DPD after 30 s of silence; its retransmissions take 0.5 + 1 + 2 + 4 + 8 s.
  await net.pass(60_000);
  expect(told.map(({ state }) => state)).toEqual(['pending', 'up', 'pending']);
  await net.pass(20_000);
  expect(told.at(-1)).toMatchObject({
    state: 'failed',
    why: expect.stringMatching(/TIMEOUT/) as string,
  });
  const inits = (): number => net.wire.filter(({ octets }) => octets[18] === 34).length;
  const before = inits();
  await net.pass(600_000);
  // 5 transmissions each; pauses of 1, 2, 4, ... 300 s, less a quarter at most.
  expect((inits() - before) / 5).toBeGreaterThanOrEqual(7);
  expect((inits() - before) / 5).toBeLessThanOrEqual(12);
  expect(told).toHaveLength(4);
  b.restart(false);
  await net.pass(320_000);
  expect(told.at(-1)?.state).toBe('up');
});

test('who is in a hurry does not wait for the pause, but cannot make it a storm', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A, { psk: 'another secret' }), net.pe(B)];
  const { told } = a.want(b);
  await net.pass(200);
  expect(told.at(-1)).toMatchObject({
    state: 'failed',
    why: expect.stringMatching(/AUTHENTICATION_FAILED, by the peer/) as string,
  });
  const inits = (): number => net.wire.filter(({ octets }) => octets[18] === 34).length / 2;
  expect(inits()).toBe(1);
  for (let i = 0; i < 50; i++) {
    a.manager.hurry(a.address, b.address, 'encrypt/gre');
    await net.pass(100);
  }
  expect(inits()).toBeGreaterThanOrEqual(5);
  expect(inits()).toBeLessThanOrEqual(10);
  // Never usable meanwhile (policy-model 8), and nothing of it is left.
  expect(told.filter(({ state }) => state === 'failed')).toHaveLength(told.length - 1);
  await net.pass(60_000);
  expect(b.rows).toEqual([]);
  expect(a.plane.live.concat(b.plane.live)).toEqual([]);
});

test('rules that no longer allow a peer, a service or a suite close what is there', async () => {
  const net = new Net();
  const options = { services: SERVICES };
  const [a, b] = [net.pe(A, options), net.pe(B, options)];
  const [first, second] = [a.want(b), a.want(b, 1)];
  await net.pass(1000);
  // A service less
  const less = b.policy({
    children: (local, remote) =>
      [...(b.policy().forPeer(remote)?.children(local, remote) ?? [])].slice(0, 1),
  });
  b.manager.setPolicy(less);
  await net.pass(200);
  expect(b.rows).toEqual([`responder of ${A} established: encrypt/gre live`]);
  expect(first.told.at(-1)?.state).toBe('up');
  expect(second.told.at(-1)).toMatchObject({
    state: 'failed',
    why: expect.stringMatching(/TS_UNACCEPTABLE|NO_PROPOSAL/) as string,
  });
  // Another SP
  b.manager.setPolicy(b.policy({ sp: 'sp-b' }));
  await net.pass(2000);
  expect(b.rows.filter((row) => row.includes('established'))).toEqual([]);
  expect(first.told.at(-1)?.state).not.toBe('up');
  // Nobody at all
  b.manager.setPolicy({ ...b.policy(), forPeer: () => undefined });
  await net.pass(40_000);
  expect(first.told.at(-1)?.state).toBe('failed');
  expect(b.count('init_no_policy')).toBeGreaterThan(0);
  expect(b.plane.live).toEqual([]);
});

test('authenticated anew before the time is up: another IKE SA first, then the old one goes', async () => {
  const net = new Net();
  const options = { policy: { reauthSeconds: 600 }, services: SERVICES };
  const [a, b] = [net.pe(A, options), net.pe(B, options)];
  const [first, second] = [a.want(b), a.want(b, 1)];
  await net.pass(1000);
  const spi = a.manager.rows(undefined, 1)[0]?.initiatorSpi;
  await passLossless(net, 660_000, a, b, 2);
  const after = a.manager.rows(undefined, 9);
  expect(after).toHaveLength(1);
  expect(after[0]?.initiatorSpi).not.toBe(spi);
  expect([first, second].map(({ told }) => told.every(({ state }) => state !== 'failed'))).toEqual([
    true,
    true,
  ]);
  expect([first.told.at(-1)?.state, second.told.at(-1)?.state]).toEqual(['up', 'up']);
}, 300_000);

test('a peer that would go on for ever is left when the lifetime that it was told is over (RFC 4478)', async () => {
  const net = new Net();
  const a = net.pe(A);
  const b = net.pe(B, { policy: { reauthSeconds: 600 } });
  const { told } = a.want(b);
  await net.pass(1000);
  const spi = a.manager.rows(undefined, 1)[0]?.initiatorSpi;
  // No new IKE SA comes to be: neither end gets an answer to IKE_SA_INIT.
  let isShut = true;
  net.tamper = (carried) => (isShut && carried.octets[18] === 34 ? [] : [carried]);
  await net.pass(655_000);
  expect(b.manager.rows(undefined, 9).filter(({ state }) => state === 'established')).toHaveLength(
    1,
  );
  expect(a.manager.rows(undefined, 9).map(({ initiatorSpi }) => initiatorSpi)).toContain(spi);
  await net.pass(10_000);
  expect(b.count('auth_overdue')).toBe(1);
  expect(b.manager.rows(undefined, 9).filter(({ state }) => state === 'established')).toEqual([]);
  expect(b.plane.live).toEqual([]);
  // It may come again, as anybody: by authenticating.
  isShut = false;
  await net.pass(200_000);
  expect(told.at(-1)?.state).toBe('up');
}, 300_000);

test('stopped: the peer is told; a dead peer does not hold it up', async () => {
  const net = new Net();
  const [a, b, c] = [net.pe(A), net.pe(B), net.pe('10.0.0.3')];
  const atB = b.want(a);
  a.want(c);
  await net.pass(1000);
  c.kill();
  let stopped = false;
  void a.manager.stop(3000).then(() => (stopped = true));
  await net.pass(500);
  expect(stopped).toBe(false);
  expect(atB.told.map(({ state }) => state).slice(0, 3)).toEqual(['pending', 'up', 'pending']);
  expect(b.rows.filter((row) => row.includes('established'))).toEqual([]);
  await net.pass(3000);
  expect(stopped).toBe(true);
  expect(a.plane.live).toEqual([]);
  const sent = net.wire.filter(({ local }) => local.address[3] === 1).length;
  await net.pass(10_000);
  expect(net.wire.filter(({ local }) => local.address[3] === 1)).toHaveLength(sent);
});

test("operators' commands: opened, rekeyed, terminated; rows in pages", async () => {
  const net = new Net();
  const a = net.pe(A);
  const peers = ['10.0.1.1', '10.0.1.2', '10.0.1.3', '10.0.1.4', '10.0.1.5'].map((name) =>
    net.pe(name),
  );
  for (const peer of peers) {
    const outcome = a.manager.initiate({
      local: a.address,
      remote: peer.address,
      service: 'encrypt/gre',
    });
    await net.pass(500);
    expect(await outcome).toEqual({ ok: true, value: 1 });
  }
  const pages = [a.manager.rows(undefined, 2)];
  for (let page = pages[0]; page !== undefined && page.length > 0;) {
    page = a.manager.rows(page.at(-1)?.initiatorSpi, 2);
    pages.push(page);
  }
  expect(pages.map((page) => page.length)).toEqual([2, 2, 1, 0]);
  const spis = pages.flat().map(({ initiatorSpi }) => initiatorSpi);
  expect([...spis].sort((x, y) => (x < y ? -1 : 1))).toEqual(spis);
  expect(new Set(spis).size).toBe(5);
  const [peer] = peers;
  const rekeyed = a.manager.rekey({ remote: peer?.address ?? a.address }, 'ike');
  const children = a.manager.rekey({ service: 'encrypt/gre' }, 'child');
  await net.pass(2000);
  expect([await rekeyed, await children]).toEqual([
    { ok: true, value: 1 },
    { ok: true, value: 5 },
  ]);
  const [local, remote] = [a.address, peer?.address ?? a.address];
  const one = a.manager.terminate({ local, remote });
  await net.pass(500);
  expect(await one).toEqual({ ok: true, value: 1 });
  const rest = a.manager.terminate({});
  await net.pass(500);
  expect(await rest).toEqual({ ok: true, value: 4 });
  await net.pass(60_000);
  expect([a.rows, a.plane.live]).toEqual([[], []]);
  const refused = await a.manager.initiate({ local, remote: Uint8Array.of(192, 0, 2, 1) });
  expect(refused).toMatchObject({ ok: false, failure: { code: 'POLICY' } });
});
