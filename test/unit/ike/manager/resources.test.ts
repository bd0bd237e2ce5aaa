// SPDX-License-Identifier: Apache-2.0
/** A child SA for each packet thread (RFC 9611), between ends that have and want different numbers of them. */
import { expect, test } from 'vitest';
import { lost } from '../sa/plane.js';
import { Net, type Pe } from './bench.js';

const [A, B] = ['10.0.0.1', '10.0.0.2'];
const CREATE_CHILD_SA = 36;

const services = (resources: number) => ({ services: [{ resources, mostResources: 32 }] });

const children = (pe: Pe) => pe.manager.rows(undefined, 10).flatMap((sa) => sa.children);
const resources = (pe: Pe): readonly number[] =>
  children(pe)
    .map(({ resource }) => resource)
    .sort((a, b) => a - b);

async function deletes(pe: Pe, resource: (of: number) => boolean): Promise<void> {
  for (const child of children(pe).filter((one) => resource(one.resource))) {
    await pe.manager.terminate({ spi: BigInt(child.inboundSpi) });
  }
}

test('there are as many as the end with more threads wants, whoever asks, and no two of one resource', async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const net = new Net(seed);
    const [a, b] = [net.pe(A, services(4)), net.pe(B, services(2))];
    a.want(b);
    b.want(a);
    await net.pass(30_000);
    for (const pe of [a, b]) expect(resources(pe)).toEqual([0, 1, 2, 3]);
    expect([lost(a.plane, b.plane), lost(b.plane, a.plane)]).toEqual([[], []]);
  }
});

test('the end with fewer asks for its own alone', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A, services(1)), net.pe(B, services(3))];
  a.want(b);
  await net.pass(10_000);
  expect(resources(a)).toEqual([0]);
  b.want(a);
  await net.pass(10_000);
  for (const pe of [a, b]) expect(resources(pe)).toEqual([0, 1, 2]);
});

test('one that is lost is made again: a further one, and the first while further ones carry on', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A, services(3)), net.pe(B, services(3))];
  const { told } = a.want(b);
  await net.pass(20_000);
  for (const which of [2, 0]) {
    const before = children(a).map(({ inboundSpi }) => inboundSpi);
    const gone = deletes(b, (resource) => resource === which);
    await net.pass(100);
    await gone;
    expect(told.at(-1)?.state).toBe('up');
    await net.pass(20_000);
    for (const pe of [a, b]) expect(resources(pe)).toEqual([0, 1, 2]);
    const kept = children(a).filter(({ inboundSpi }) => before.includes(inboundSpi));
    expect(kept.map(({ resource }) => resource)).not.toContain(which);
    expect(kept).toHaveLength(2);
  }
});

test('a peer that deletes each further one as a duplicate is not asked over and over', async () => {
  const net = new Net();
  const [a, b] = [net.pe(A, services(2)), net.pe(B, services(1))];
  const { told } = a.want(b);
  for (let at = 0; at < 600; at++) {
    void deletes(b, (resource) => resource > 0);
    await net.pass(1000);
  }
  const asked = net.wire.filter(
    ({ octets, remote }) => octets[18] === CREATE_CHILD_SA && remote.address[3] === 2,
  );
  // After 1, 2, 4 ... 300 s.
  expect(asked.length).toBeGreaterThan(3);
  expect(asked.length).toBeLessThan(16);
  expect(told.map(({ state }) => state)).not.toContain('failed');
  expect(told.at(-1)?.state).toBe('up');
});
