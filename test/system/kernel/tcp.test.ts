// SPDX-License-Identifier: Apache-2.0
/** TCP sockets of the addon: namespace, options, accepting. */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually, Lab } from '../../../scripts/lib/lab.js';
import type { TcpConnection, TcpListener, TcpOptions } from '../../../src/lib/kernel-api.js';
import { ip, kernel, openDescriptors, settle } from './support.js';

const [A, B] = ['slkt-a', 'slkt-b'];
let lab: Lab;
let netnsA: number;
let netnsB: number;
let listener: TcpListener | undefined;
let arrived: TcpConnection[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  lab = await Lab.open('slk-tcp');
  for (const netns of [A, B]) await lab.namespace(netns);
  await lab.link(A, 'to-b', B, 'to-a');
  await lab.ip(A, ['addr add 10.4.0.1/24 dev to-b', '-6 addr add 2001:db8:4::1/64 dev to-b nodad']);
  await lab.ip(B, ['addr add 10.4.0.2/24 dev to-a', '-6 addr add 2001:db8:4::2/64 dev to-a nodad']);
  netnsA = kernel.openNetns(`/run/netns/${A}`);
  netnsB = kernel.openNetns(`/run/netns/${B}`);
  // The addon's way home is opened once and kept: it is not counted below.
  kernel.readSysctl(netnsA, 'ipv4/conf/all/forwarding');
});
afterEach(async () => {
  listener?.close();
  listener = undefined;
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const { fd } of arrived) closeSync(fd);
  arrived = [];
  await settle();
});
afterAll(async () => {
  kernel.closeDescriptor(netnsA);
  kernel.closeDescriptor(netnsB);
  await lab.close();
});

function listen(options: Partial<TcpOptions> = {}): TcpListener {
  listener = kernel.listenTcp(
    { netns: netnsA, local: ip('0.0.0.0'), port: 179, ...options },
    {
      onConnection: (connection) => arrived.push(connection),
      onError: (reason) => {
        throw new Error(reason);
      },
    },
  );
  return listener;
}

/** 'up' when a connection from B succeeds within the time of two SYNs. */
async function dial(to: string, options: Partial<TcpOptions> = {}): Promise<string> {
  const local = new Uint8Array(to.includes(':') ? 16 : 4);
  const socket = new Socket({ fd: kernel.tcpSocket({ netns: netnsB, local, ...options }) });
  sockets.push(socket);
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve('no answer');
    }, 1500);
    socket.on('error', (error) => {
      clearTimeout(timer);
      resolve('code' in error ? String(error.code) : error.message);
    });
    socket.connect(179, to, () => {
      clearTimeout(timer);
      resolve('up');
    });
  });
}

test('connects from one namespace into another, IPv4 and IPv6', async () => {
  const before = openDescriptors();
  listen();
  expect(await dial('10.4.0.1')).toBe('up');
  await eventually('accepted', () => arrived[0]);
  expect(arrived[0]).toMatchObject({ remote: ip('10.4.0.2'), local: ip('10.4.0.1'), synTtl: 64 });
  expect(openDescriptors()).toBe(before + 3);
  listener?.close();
  listen({ local: ip('2001:db8:4::1') });
  expect(await dial('2001:db8:4::1', { ttl: 9 })).toBe('up');
  await eventually('accepted', () => arrived[1]);
  expect(arrived[1]).toMatchObject({ remote: ip('2001:db8:4::2'), synTtl: 9 });
  listener?.close();
  expect(await dial('10.4.0.1')).toBe('ECONNREFUSED');
});

test('a listener bound to one address does not have the others', async () => {
  listen({ local: ip('127.0.0.1') });
  expect(await dial('10.4.0.1')).toBe('ECONNREFUSED');
  expect(() => listen({ local: ip('192.0.2.1') })).toThrow(/EADDRNOTAVAIL|assign/);
});

test('MD5: the same key on both sides, or no connection; of an address or a prefix (RFC 2385)', async () => {
  const key = (text: string): Uint8Array => new TextEncoder().encode(text);
  const to = (text: string) => ({ md5Keys: [{ peer: ip('10.4.0.1'), key: key(text) }] });
  listen({ md5Keys: [{ peer: ip('10.4.0.0'), prefixLength: 24, key: key('one') }] });
  expect(await dial('10.4.0.1', to('one'))).toBe('up');
  expect(await dial('10.4.0.1', to('two'))).toBe('no answer');
  expect(await dial('10.4.0.1')).toBe('no answer');
  listener?.setMd5({ peer: ip('10.4.0.0'), prefixLength: 24, key: key('two') });
  expect(await dial('10.4.0.1', to('two'))).toBe('up');
  listener?.setMd5({ peer: ip('10.4.0.0'), prefixLength: 24, key: new Uint8Array(0) });
  expect(await dial('10.4.0.1')).toBe('up');
});

test('the least TTL is enforced by the kernel (RFC 5082)', async () => {
  listen({ minTtl: 255 });
  expect(await dial('10.4.0.1', { ttl: 254 })).toBe('no answer');
  expect(await dial('10.4.0.1', { ttl: 255 })).toBe('up');
});

test('TCP-AO: used where the kernel has it, else refused with a reason', () => {
  const ao = { key: ip('10.0.0.1'), algorithm: 'hmac(sha1)', sendId: 1, receiveId: 1 };
  const make = (): number =>
    kernel.tcpSocket({
      netns: netnsB,
      local: ip('0.0.0.0'),
      aoKeys: [{ peer: ip('10.4.0.1'), ...ao }],
    });
  if (kernel.hasTcpAo()) closeSync(make());
  else expect(make).toThrow(expect.objectContaining({ code: 'KERNEL', errno: 'ENOPROTOOPT' }));
});

test('refusals name what is wrong, never a key, and leave no descriptor', () => {
  const before = openDescriptors();
  const secret = new TextEncoder().encode('swordfish'.repeat(10));
  const base = { netns: netnsB, local: ip('0.0.0.0') };
  for (const [options, why] of [
    [{ ...base, md5Keys: [{ peer: ip('10.4.0.1'), key: secret }] }, /at most 80/],
    [{ ...base, interface: 'none0' }, /none0.*No such device/],
    [{ ...base, ttl: 0 }, /ttl/],
    [{ ...base, minTtl: 256 }, /minTtl/],
    [{ ...base, local: ip('192.0.2.1') }, /bind/],
    [{ ...base, local: new Uint8Array(5) }, /4 or 16/],
    [{ ...base, netns: before + 500 }, /namespace/],
  ] as const) {
    expect(() => kernel.tcpSocket(options)).toThrow(why);
    expect(() => kernel.tcpSocket(options)).not.toThrow(/swordfish/);
  }
  expect(openDescriptors()).toBe(before);
});
