// SPDX-License-Identifier: Apache-2.0
/** Two managers in namespaces of their own, over real sockets and in real time. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { eventually, Lab } from '../../../scripts/lib/lab.js';
import { createAuthenticator } from '../../../src/ike/auth/authenticator.js';
import { perform } from '../../../src/ike/crypto/jobs.js';
import { createNodeCrypto } from '../../../src/ike/crypto/node-crypto.js';
import type { IkeManager, WantedState } from '../../../src/ike/manager/api.js';
import { createIkeCounters, createIkeManager } from '../../../src/ike/manager/manager.js';
import { realParts } from '../../../src/ike/manager/parts.js';
import type { PeerPolicy } from '../../../src/ike/policy.js';
import { IkeTransport } from '../../../src/ike/transport/transport.js';
import type { IkeEnvironment, Timers } from '../../../src/ike/types.js';
import { parsePrefix, type Prefix } from '../../../src/lib/ip.js';
import { createLogger } from '../../../src/lib/log.js';
import { proposalOf, setupOf, X25519 } from '../../unit/ike/open/bench.js';
import { LIFETIMES, lost, Plane, policyOf } from '../../unit/ike/sa/plane.js';
import { ip, kernel, settle } from '../kernel/support.js';
import { randomBytes } from 'node:crypto';

const [A, B] = [`slk-${String(process.pid)}-ikem-a`, `slk-${String(process.pid)}-ikem-b`];
let lab: Lab;
let netnsA: number;
let netnsB: number;
const running: Host[] = [];

const timers: Timers = {
  now: () => performance.now(),
  after: (ms, run) => {
    const handle = setTimeout(run, ms);
    return () => {
      clearTimeout(handle);
    };
  },
};

function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(text);
  return prefix;
}

beforeAll(async () => {
  lab = await Lab.open(`ike-managers-${String(process.pid)}`);
  for (const netns of [A, B]) await lab.namespace(netns);
  await lab.link(A, 'to-b', B, 'to-a');
  await lab.ip(A, ['addr add 10.6.0.1/24 dev to-b', '-6 addr add 2001:db8:6::1/64 dev to-b nodad']);
  await lab.ip(B, ['addr add 10.6.0.2/24 dev to-a', '-6 addr add 2001:db8:6::2/64 dev to-a nodad']);
  netnsA = kernel.openNetns(`/run/netns/${A}`);
  netnsB = kernel.openNetns(`/run/netns/${B}`);
});
afterEach(async () => {
  for (const { manager, transport } of running.splice(0)) {
    await manager.stop(200);
    transport.close();
  }
  await settle();
});
afterAll(async () => {
  kernel.closeDescriptor(netnsA);
  kernel.closeDescriptor(netnsB);
  await lab.close();
});

interface Host {
  readonly manager: IkeManager;
  readonly transport: IkeTransport;
  readonly plane: Plane;
}

function host(
  netns: number,
  local: string,
  more: Partial<PeerPolicy> = {},
  cookieAbove = 100,
): Host {
  const log = createLogger({ write: () => undefined, now: () => '' });
  const env: Omit<IkeEnvironment, 'count'> = {
    crypto: createNodeCrypto({ run: (job) => Promise.resolve(perform(job)) }, randomBytes),
    ...{ timers, wallClock: () => Date.now() / 1000, log },
  };
  const counters = createIkeCounters();
  const everybody = [prefixOf('10.6.0.0/24'), prefixOf('2001:db8:6::/64')];
  const setup = setupOf('', {
    ranges: everybody,
    psks: everybody.map((prefix, i) => ({
      name: `psk ${String(i)}`,
      prefix,
      key: Buffer.from('secret'),
    })),
  });
  const policy: PeerPolicy = {
    ...{ sp: 'sp-a', proposals: [proposalOf([X25519])], ppk: undefined, nat: 'refuse' },
    retransmission: { firstMs: 1000, factor: 1.8, tries: 5, jitter: 0.2 },
    ...{ fragmentBytes: 1280, dpdMs: 30_000, reauthSeconds: 0, lifetimes: LIFETIMES, window: 1 },
    children: (here, there) => [policyOf(here, there)],
    ...more,
  };
  const plane = new Plane(timers, (randomBytes(4).readUInt32BE() | 0x100) >>> 0);
  const transport = new IkeTransport({
    ...{ sockets: kernel, netns, timers, log, count: counters.count },
    onDatagram: (datagram) => {
      manager.receive(datagram);
    },
  });
  const manager = createIkeManager({
    ...{ env, counters, parts: realParts, sink: plane, store: undefined, qcdSecret: undefined },
    authenticator: createAuthenticator(setup, { ...env, count: counters.count }),
    policy: {
      forPeer: () => policy,
      halfOpen: { cookieAbove, most: 1000, mostPerPeer: 5, expireMs: 30_000 },
    },
    send: (path, octets) => {
      transport.send(path, octets);
    },
    keepalive: (path) => {
      transport.keepalive(path);
    },
    segmentsWereLost: false,
  });
  transport.apply([ip(local)]);
  const all = { manager, transport, plane };
  running.push(all);
  return all;
}

function want(from: Host, local: string, remote: string): WantedState[] {
  const told: WantedState[] = [];
  const [here, there] = [ip(local), ip(remote)];
  from.manager.want({ local: here, remote: there, policy: policyOf(here, there) }, (state) => {
    told.push(state);
  });
  return told;
}

const isUp = (told: readonly WantedState[]): true | undefined =>
  told.at(-1)?.state === 'up' ? true : undefined;

test.each([
  ['IPv4', '10.6.0.1', '10.6.0.2'],
  ['IPv6', '2001:db8:6::1', '2001:db8:6::2'],
])('%s: opened, used by both, rekeyed, closed', async (_name, a, b) => {
  const [left, right] = [host(netnsA, a), host(netnsB, b)];
  const told = want(left, a, b);
  await eventually('the child SA', () => isUp(told));
  expect([lost(left.plane, right.plane), lost(right.plane, left.plane)]).toEqual([[], []]);
  expect(await right.manager.rekey({}, 'ike')).toEqual({ ok: true, value: 1 });
  expect(await left.manager.rekey({}, 'child')).toEqual({ ok: true, value: 1 });
  await eventually('no loss', () =>
    lost(left.plane, right.plane).length + lost(right.plane, left.plane).length === 0
      ? true
      : undefined,
  );
  expect(left.manager.counters().tx_retransmissions).toBe(0);
  await left.manager.stop(5000);
  await eventually('it is closed', () => (right.plane.active.size === 0 ? true : undefined));
});

test('a NAT that changes ports: both go to port 4500, behind the marker (RFC 7296 §2.23)', async () => {
  const rules = [
    'table ip nat {',
    ' chain out { type nat hook postrouting priority 100;',
    '  ip daddr 10.6.0.2 udp sport 500 snat to 10.6.0.1:40500',
    '  ip daddr 10.6.0.2 udp sport 4500 snat to 10.6.0.1:44500',
    ' }',
    '}',
  ].join('\n');
  await lab.must(A, ['nft', '-f', '-'], { input: rules });
  try {
    const nat = { nat: 'allow' } as const;
    const [left, right] = [host(netnsA, '10.6.0.1', nat), host(netnsB, '10.6.0.2', nat)];
    const told = want(left, '10.6.0.1', '10.6.0.2');
    await eventually('the child SA', () => isUp(told));
    const [row] = right.manager.rows(undefined, 2);
    expect([row?.localPort, row?.remotePort]).toEqual([4500, 44500]);
    // Its answer may be on the way still: it waits for a packet of the initiator, or 100 ms.
    const child = await eventually('the responder sends', () => {
      const [found] = right.plane.active.values();
      return found;
    });
    expect([child.udpEncapsulation, child.path.remote.port]).toEqual([true, 44500]);
    expect(await right.manager.rekey({}, 'child')).toEqual({ ok: true, value: 1 });
    // Where it is forbidden there is no IKE SA.
    await left.manager.stop(1000);
    left.transport.close();
    const strict = host(netnsA, '10.6.0.1');
    const refused = want(strict, '10.6.0.1', '10.6.0.2');
    const failed = await eventually('the refusal', () =>
      refused.find(({ state }) => state === 'failed'),
    );
    expect(failed).toMatchObject({ why: expect.stringMatching(/NAT/) as string });
    expect(strict.manager.counters().nat_refused).toBeGreaterThan(0);
  } finally {
    await lab.must(A, ['nft', 'delete', 'table', 'ip', 'nat']);
  }
});

test('in a flood of requests with forged addresses who answers its cookie is served', async () => {
  const right = host(netnsB, '10.6.0.2', {}, 0);
  const left = host(netnsA, '10.6.0.1');
  // What A would send, from its socket's neighbour: another port counts as another sender.
  const flooder = kernel.udpSocket(
    { netns: netnsA, local: ip('10.6.0.1'), port: 0 },
    () => undefined,
  );
  try {
    const told = want(left, '10.6.0.1', '10.6.0.2');
    const request = new Uint8Array(28 + 36);
    request.set([40, 0x20, 34, 0x08], 16);
    request[27] = request.length;
    request[31] = 36;
    let sent = 0;
    const flood = (): void => {
      for (let i = 0; i < 500; i++) {
        request.set(randomBytes(8));
        flooder.send(request, ip('10.6.0.2'), 500);
        sent++;
      }
    };
    flood();
    await eventually('the child SA', async () => {
      flood();
      await settle(1);
      return isUp(told);
    });
    const counters = right.manager.counters();
    expect(counters.init_cookies_sent).toBeGreaterThan(100);
    expect(sent).toBeGreaterThan(500);
    expect(right.manager.rows(undefined, 100)).toHaveLength(1);
  } finally {
    flooder.close();
  }
});
