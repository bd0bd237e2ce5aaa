// SPDX-License-Identifier: Apache-2.0
/** Sessions with FRR, GoBGP and BIRD as they are in the field. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { eventually, Lab } from '../../../scripts/lib/lab.js';
import {
  type BgpImplementation,
  type BgpPeer,
  missing,
  startBgpPeer,
} from '../../lib/bgp-peers.js';
import { dissect } from '../../lib/tshark.js';
import { openDescriptors, settle } from '../../system/kernel/support.js';
import { Host } from './host.js';

const folder = mkdtempSync(`${tmpdir()}/slb-session-`);
const US = 'slbs-us';
const THEM = 'slbs-them';
let lab: Lab;
let count = 0;
const hosts: Host[] = [];
const peers: BgpPeer[] = [];

beforeAll(async () => {
  lab = await Lab.open('slb-session');
  for (const netns of [US, THEM]) await lab.namespace(netns);
  await lab.link(US, 'to-them', THEM, 'to-us');
  await lab.ip(US, ['addr add 10.2.0.1/24 dev to-them']);
  await lab.ip(THEM, ['addr add 10.2.0.2/24 dev to-us']);
  await lab.ip(US, ['-6 addr add 2001:db8:2::1/64 dev to-them nodad']);
  await lab.ip(THEM, ['-6 addr add 2001:db8:2::2/64 dev to-us nodad']);
});
afterEach(async () => {
  for (const each of hosts.splice(0)) each.close();
  for (const each of peers.splice(0)) await each.stop('SIGKILL');
});
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true, force: true });
});

function host(): Host {
  const made = new Host(US);
  hosts.push(made);
  return made;
}

const has = (context: { skip: (note: string) => void }, kind: BgpImplementation): void => {
  const why = missing(kind);
  if (why !== undefined) context.skip(why);
};

async function peer(kind: BgpImplementation, config: string): Promise<BgpPeer> {
  const options = { netns: THEM, folder, name: `${kind}-${++count}`, config };
  const made = await startBgpPeer(lab, kind, options);
  peers.push(made);
  return made;
}

const frr = (lines: readonly string[], address = '10.2.0.1', families: string[] = []): string =>
  [
    'log stdout debugging',
    'router bgp 65002',
    ' bgp router-id 10.2.0.2',
    ' no bgp ebgp-requires-policy',
    ' timers bgp connect 1',
    ` neighbor ${address} remote-as 65001`,
    ...lines.map((line) => ` neighbor ${address} ${line}`),
    ...families,
    '',
  ].join('\n');

const gobgp = (address: string, lines: readonly string[] = []): string =>
  [
    '[global.config]',
    'as = 65002',
    'router-id = "10.2.0.2"',
    '[[neighbors]]',
    '[neighbors.config]',
    `neighbor-address = "${address}"`,
    'peer-as = 65001',
    ...lines,
    '',
  ].join('\n');

const bird = (local: string, address: string, lines: readonly string[] = []): string =>
  [
    'log stderr all;',
    'router id 10.2.0.2;',
    'protocol device {}',
    'protocol bgp tested {',
    ` local ${local} as 65002;`,
    ` neighbor ${address} as 65001;`,
    ' connect delay time 1;',
    ...lines,
    '}',
    '',
  ].join('\n');

/** Captures TCP port 179 on our side while `work` runs; all of it must be BGP to tshark. */
async function captured(work: () => Promise<void>): Promise<Record<string, string>[]> {
  const file = `${folder}/capture-${++count}.pcap`;
  const tcpdump = [
    'tcpdump',
    '-U',
    '--immediate-mode',
    '-Z',
    'root',
    '-i',
    'to-them',
    '-w',
    file,
    'tcp',
    'port',
    '179',
  ];
  const log = `${folder}/tcpdump-${count}.log`;
  const child = lab.start(US, tcpdump, log);
  await eventually('tcpdump', async () =>
    (await lab.exec(US, ['grep', '-q', 'listening', log])).code === 0 ? true : undefined,
  );
  await work();
  await settle(300);
  await lab.stop(child, 'SIGINT');
  const malformed = await dissect(file, ['frame.number'], { filter: '_ws.malformed' });
  expect(malformed).toEqual([]);
  return dissect(file, ['ip.src', 'ipv6.src', 'bgp.type', 'ip.ttl', 'tcp.stream'], {
    filter: 'bgp',
  });
}

const families4 = { 'ipv4-unicast': {} } as const;
const families6 = { 'ipv6-unicast': {} } as const;

describe('coming up', () => {
  const cases: [BgpImplementation, 4 | 6, boolean][] = (['frr', 'gobgp', 'bird'] as const).flatMap(
    (kind) =>
      ([4, 6] as const).flatMap((family) =>
        [false, true].map((passive): [BgpImplementation, 4 | 6, boolean] => [
          kind,
          family,
          passive,
        ]),
      ),
  );

  function configOf(kind: BgpImplementation, family: 4 | 6, silent: boolean): string {
    const [us, them] = family === 4 ? ['10.2.0.1', '10.2.0.2'] : ['2001:db8:2::1', '2001:db8:2::2'];
    const afi = family === 4 ? 'ipv4' : 'ipv6';
    if (kind === 'frr') {
      return frr(silent ? ['passive'] : [], us, [
        ` address-family ${afi} unicast`,
        `  neighbor ${us} activate`,
        ' exit-address-family',
      ]);
    }
    if (kind === 'gobgp') {
      return gobgp(us, [
        ...(silent ? ['[neighbors.transport.config]', 'passive-mode = true'] : []),
        ...['[neighbors.timers.config]', 'connect-retry = 1'],
        ...['[[neighbors.afi-safis]]', '[neighbors.afi-safis.config]'],
        `afi-safi-name = "${afi}-unicast"`,
      ]);
    }
    return bird(them, us, [
      ...(silent ? [' passive;'] : []),
      ` ${afi} { import all; export all; };`,
    ]);
  }

  test.each(cases)('%s over IPv%i, we are passive: %s', async (kind, family, passive) => {
    const [us, them] = family === 4 ? ['10.2.0.1', '10.2.0.2'] : ['2001:db8:2::1', '2001:db8:2::2'];
    const ours = host();
    const frames = await captured(async () => {
      const other = await peer(kind, configOf(kind, family, !passive));
      ours.apply({
        ...{ address: them, localAddress: us, asn: 65002, passive },
        timers: { connectRetry: 1 },
        families: family === 4 ? families4 : families6,
      });
      const view = await ours.established(them);
      await other.waitEstablished(us);
      expect(view).toMatchObject({ asn: 65002, routerId: '10.2.0.2', kind: 'ebgp' });
      expect(view.localAddress).toBe(us);
      expect(view.families).toEqual([family === 4 ? 'ipv4-unicast' : 'ipv6-unicast']);
      expect(ours.ears.up[0]).toMatchObject({ asn: 65002, localAsn: 65001 });
      ours.speaker.shutdown(them, 'good night');
      await other.waitDown(us);
    });
    const ofUs = frames.filter((frame) => frame['ip.src'] === us || frame['ipv6.src'] === us);
    const types = ofUs.flatMap((frame) => (frame['bgp.type'] ?? '').split(','));
    expect(new Set(types)).toEqual(new Set(['1', '3', '4']));
  });

  test('both sides connect at once, again and again', async (context) => {
    has(context, 'frr');
    const other = await peer('frr', frr([]));
    const ours = host();
    for (let round = 0; round < 4; round++) {
      ours.apply({ address: '10.2.0.2', asn: 65002, timers: { connectRetry: 1 } });
      await ours.established('10.2.0.2');
      await other.waitEstablished('10.2.0.1');
      ours.apply();
      await other.waitDown('10.2.0.1');
    }
  });

  test('link-local addresses, bound to their interface', async (context) => {
    has(context, 'bird');
    const linkLocal = async (netns: string, device: string): Promise<string> => {
      const text = await lab.must(netns, ['ip', '-6', 'addr', 'show', 'dev', device]);
      return /inet6 (fe80::[0-9a-f:]+)/.exec(text)![1]!;
    };
    const us = await linkLocal(US, 'to-them');
    const them = await linkLocal(THEM, 'to-us');
    const other = await peer(
      'bird',
      bird(them, us, [' interface "to-us";', ' direct;', ' ipv6 { import all; export all; };']),
    );
    const ours = host();
    ours.apply({
      ...{ address: them, interface: 'to-them', asn: 65002 },
      families: families6,
      timers: { connectRetry: 1 },
    });
    await ours.established(them);
    await other.waitEstablished(us);
  });

  test('peers out of a prefix', async (context) => {
    has(context, 'gobgp');
    const ours = host();
    ours.apply({ prefix: '10.2.0.0/24', asn: 'external' });
    await peer('gobgp', gobgp('10.2.0.1', ['[neighbors.timers.config]', 'connect-retry = 1']));
    const view = await ours.established('10.2.0.2');
    expect(view.neighbor).toBe('10.2.0.0/24');
    expect(ours.ears.up[0]?.configured).toBe('10.2.0.0/24');
  });
});

describe('protection of the connection', () => {
  const key = (text: string): string => {
    const file = `${folder}/key-${++count}`;
    writeFileSync(file, `${text}\n`, { mode: 0o600 });
    return file;
  };

  test.each([false, true])('TCP MD5: right and wrong key; we are passive: %s', async (passive) => {
    const other = await peer('frr', frr(['password slb-secret', 'timers connect 1']));
    const ours = host();
    const base = { address: '10.2.0.2', asn: 65002, passive, timers: { connectRetry: 1 } };
    ours.apply({ ...base, md5KeyFile: key('slb-wrong') });
    await settle(4000);
    expect(ours.view('10.2.0.2')?.state).not.toBe('established');
    expect(ours.ears.up).toHaveLength(0);
    ours.apply({ ...base, md5KeyFile: key('slb-secret') });
    await ours.established('10.2.0.2');
    await other.waitEstablished('10.2.0.1');
    expect(ours.lines.join('\n')).not.toMatch(/slb-secret|slb-wrong/);
  });

  test('TCP MD5: without a key nothing of a signed peer is taken, nor the other way round', async () => {
    const other = await peer('frr', frr([]));
    const ours = host();
    ours.apply({
      ...{ address: '10.2.0.2', asn: 65002, timers: { connectRetry: 1 } },
      md5KeyFile: key('slb-secret'),
    });
    await settle(4000);
    expect(ours.ears.up).toHaveLength(0);
    expect(await other.state('10.2.0.1')).not.toBe('established');
  });

  test('GTSM: TTL 255 both ways; a peer that sends less stays out (RFC 5082)', async () => {
    const config = { address: '10.2.0.2', asn: 65002, ttlSecurity: 1, timers: { connectRetry: 1 } };
    const plain = await peer('frr', frr([]));
    const first = host();
    first.apply(config);
    await settle(4000);
    expect(first.ears.up).toHaveLength(0);
    first.close();
    hosts.length = 0;
    await plain.stop('SIGKILL');
    const ours = host();
    const frames = await captured(async () => {
      await peer('frr', frr(['ttl-security hops 1']));
      ours.apply(config);
      await ours.established('10.2.0.2');
    });
    expect(new Set(frames.map((frame) => frame['ip.ttl']))).toEqual(new Set(['255']));
  });

  test('without GTSM an EBGP neighbour is reached by one hop only', async () => {
    await peer('frr', frr([]));
    const ours = host();
    const frames = await captured(async () => {
      ours.apply({ address: '10.2.0.2', asn: 65002, passive: false });
      await ours.established('10.2.0.2');
    });
    // What the session of another test still sends to the peer that is no more is another connection.
    const opened = new Set(
      frames.flatMap((frame) =>
        (frame['bgp.type'] ?? '').startsWith('1') ? [frame['tcp.stream']] : [],
      ),
    );
    const ttls = frames.filter(
      (frame) => frame['ip.src'] === '10.2.0.1' && opened.has(frame['tcp.stream']),
    );
    expect(new Set(ttls.map((frame) => frame['ip.ttl']))).toEqual(new Set(['1']));
  });
});

describe('ends', () => {
  const base = { address: '10.2.0.2', asn: 65002, timers: { connectRetry: 1 } } as const;

  test('a peer that hangs is given up when the hold time is over', async () => {
    const other = await peer('frr', frr(['timers 1 3']));
    const ours = host();
    ours.apply({ ...base, timers: { hold: 3, connectRetry: 1 } });
    expect((await ours.established('10.2.0.2')).holdTime).toBe(3);
    const before = Date.now();
    process.kill(other.pid, 'SIGSTOP');
    await ours.down('10.2.0.2', 20_000);
    process.kill(other.pid, 'SIGCONT');
    expect(Date.now() - before).toBeGreaterThan(1500);
    expect(ours.view('10.2.0.2')?.lastError).toMatchObject({ by: 'us', code: 4 });
  });

  test('a peer that is killed: its routes may stay for its restart time; it comes back', async () => {
    const config = frr(['graceful-restart'], '10.2.0.1', []).replace(
      ' neighbor',
      ' bgp graceful-restart restart-time 33\n neighbor',
    );
    const other = await peer('frr', config);
    const ours = host();
    ours.apply(base);
    await ours.established('10.2.0.2');
    await other.stop('SIGKILL');
    await ours.down('10.2.0.2');
    expect(ours.ears.down[0]?.end).toMatchObject({ keepStale: 1, restartTime: 33 });
    await peer('frr', config);
    await ours.established('10.2.0.2');
    expect(ours.view('10.2.0.2')?.establishedCount).toBe(2);
  });

  test('what we say at the end is read by the peer (RFC 9003)', async (context) => {
    has(context, 'bird');
    const other = await peer(
      'bird',
      bird('10.2.0.2', '10.2.0.1', [' ipv4 { import all; export all; };']),
    );
    const ours = host();
    ours.apply({ ...base, gracefulRestart: false });
    await ours.established('10.2.0.2');
    ours.speaker.shutdown('10.2.0.2', 'Wartung bis 6 Uhr, Grüße');
    await other.waitDown('10.2.0.1');
    const logged = (text: string): Promise<true> =>
      eventually('BIRD has logged the text', () => (other.log().includes(text) ? true : undefined));
    await logged('Wartung bis 6 Uhr, Grüße');
    // The same by configuration.
    ours.speaker.startNeighbor('10.2.0.2');
    await ours.established('10.2.0.2');
    ours.apply({ ...base, gracefulRestart: false, shutdown: 'for good' });
    await logged('for good');
    expect(ours.view('10.2.0.2')).toMatchObject({ state: 'idle', shutdown: true });
  });

  test('what the peer says at the end is read by us', async (context) => {
    has(context, 'frr');
    const other = await peer('frr', frr([]));
    const ours = host();
    ours.apply(base);
    await ours.established('10.2.0.2');
    await lab.must(THEM, [
      ...['vtysh', '--vty_socket', other.folder, '-d', 'bgpd'],
      ...['-c', 'configure terminal', '-c', 'router bgp 65002'],
      ...['-c', 'neighbor 10.2.0.1 shutdown message out for lunch'],
    ]);
    await ours.down('10.2.0.2');
    const { lastError } = ours.view('10.2.0.2')!;
    expect(lastError).toMatchObject({ by: 'peer', code: 6 });
    expect(lastError?.reason).toMatch(/Administrative Shutdown.*out for lunch/);
  });

  test('clear: hard begins again, soft asks for the routes anew', async () => {
    const other = await peer('frr', frr([]));
    const ours = host();
    ours.apply(base);
    await ours.established('10.2.0.2');
    expect(ours.speaker.clearSoft('10.2.0.2')).toEqual([]);
    await eventually('FRR has seen the ROUTE-REFRESH', async () => {
      const text = await other.command('show bgp neighbors 10.2.0.1 json');
      const stats = JSON.parse(text) as Record<
        string,
        { messageStats: { routeRefreshRecv: number } }
      >;
      return stats['10.2.0.1']?.messageStats.routeRefreshRecv === 1 ? true : undefined;
    });
    ours.speaker.clear('10.2.0.2', 'spring cleaning');
    expect(ours.view('10.2.0.2')?.state).toBe('idle');
    await ours.established('10.2.0.2');
    expect(ours.view('10.2.0.2')?.establishedCount).toBe(2);
    expect(ours.speaker.clear('10.9.9.9')).toBe(false);
  });

  test('flapping leaves nothing behind', async () => {
    await peer('frr', frr([]));
    const ours = host();
    const flap = async (): Promise<void> => {
      ours.apply(base);
      await ours.established('10.2.0.2');
      ours.apply();
    };
    await flap();
    await settle(3000);
    const before = openDescriptors();
    for (let i = 0; i < 15; i++) await flap();
    await eventually('descriptors are closed', () =>
      openDescriptors() <= before ? true : undefined,
    );
    expect(ours.speaker.show()).toEqual([]);
  });
});
