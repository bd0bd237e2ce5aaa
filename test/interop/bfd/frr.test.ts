// SPDX-License-Identifier: Apache-2.0
/** The worker's BFD and FRR's bfdd: up in every form, down in time, new intervals, a capture without faults. */
import { execFileSync, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { dissect } from '../../lib/tshark.js';
import { Bed, FAST, ip, MULTI4, MULTI6, SINGLE4, SINGLE6, type Watched } from './bed.js';

const BFDD = '/usr/lib/frr/bfdd';

const timers = [' receive-interval 300', ' transmit-interval 300', ' detect-multiplier 3'];
const peers = [
  'peer 10.77.0.1 local-address 10.77.0.2 interface hop',
  'peer fd77::1 local-address fd77::2 interface hop',
  'peer 10.77.1.1 multihop local-address 10.77.1.2',
  'peer fd77:1::1 multihop local-address fd77:1::2',
];
const CONFIG = [
  'bfd',
  ...peers.flatMap((peer) => [
    ` ${peer}`,
    ...timers.map((line) => ` ${line}`),
    '  no shutdown',
    ' exit',
  ]),
  'exit',
  '',
].join('\n');

/** What `show bfd peers json` says of one, as far as it is read here. */
interface FrrPeer {
  readonly peer: string;
  readonly status: string;
  readonly 'remote-diagnostic': string;
  readonly 'remote-receive-interval': number;
  readonly 'remote-transmit-interval': number;
  readonly 'remote-detect-multiplier': number;
}

/** bfdd with the zebra that tells it of its interfaces. */
class Frr {
  readonly #bed: Bed;
  readonly #folder: string;
  bfdd: ChildProcess;
  constructor(bed: Bed) {
    this.#bed = bed;
    this.#folder = bed.path('frr');
    bed.write('frr/zebra.conf', '');
    bed.write('frr/bfdd.conf', CONFIG);
    // The daemons give up root for the user frr, whose the folder has to be.
    chmodSync(bed.directory, 0o711);
    execFileSync('chown', ['-R', 'frr:frr', this.#folder]);
    this.#start('/usr/lib/frr/zebra', ['-f', `${this.#folder}/zebra.conf`]);
    this.bfdd = this.startBfdd();
  }

  #start(program: string, args: readonly string[]): ChildProcess {
    const folder = this.#folder;
    const name = program.split('/').at(-1) ?? '';
    const argv = [program, ...args, '-z', `${folder}/zserv.api`, '--vty_socket', folder];
    const own = ['-i', `${folder}/${name}.pid`, '-A', '127.0.0.1', '-P', '0'];
    return this.#bed.lab.start(this.#bed.peer, [...argv, ...own], `${folder}/${name}.log`);
  }
  startBfdd(): ChildProcess {
    const control = ['--bfdctl', `${this.#folder}/bfdd.sock`];
    this.bfdd = this.#start(BFDD, ['-f', `${this.#folder}/bfdd.conf`, ...control]);
    return this.bfdd;
  }
  async command(...lines: string[]): Promise<string> {
    const argv = ['vtysh', '--vty_socket', this.#folder, '-d', 'bfdd'];
    return this.#bed.lab.must(this.#bed.peer, [...argv, ...lines.flatMap((line) => ['-c', line])]);
  }
  async peer(address: string): Promise<FrrPeer | undefined> {
    const all = JSON.parse(await this.command('show bfd peers json')) as FrrPeer[];
    return all.find(({ peer }) => peer === address);
  }
  async ready(): Promise<void> {
    await eventually('bfdd answers', async () => {
      const argv = ['vtysh', '--vty_socket', this.#folder, '-d', 'bfdd', '-c', 'show version'];
      return (await this.#bed.lab.exec(this.#bed.peer, argv)).code === 0 ? true : undefined;
    });
  }
}

describe.skipIf(!existsSync(BFDD))('with FRR', () => {
  let bed: Bed;
  let frr: Frr;
  let endCapture: () => Promise<string>;
  const watched: Record<string, Watched> = {};
  const of = (name: string): Watched => {
    const found = watched[name];
    if (found === undefined) throw new Error(`no session ${name}`);
    return found;
  };

  beforeAll(async () => {
    bed = await Bed.open('frr');
    await bed.connect();
    endCapture = await bed.capture('frr');
    frr = new Frr(bed);
    await frr.ready();
  });
  afterAll(async () => {
    await bed.close();
  });

  it.each([
    ['IPv4', SINGLE4, '10.77.0.1'],
    ['IPv6', SINGLE6, 'fd77::1'],
    ['multihop IPv4', MULTI4, '10.77.1.1'],
    ['multihop IPv6', MULTI6, 'fd77:1::1'],
  ] as const)('comes up: %s', async (name, path, address) => {
    const session = bed.watch({ ...path, ...(path.multihop ? {} : { interface: 'hop' }) });
    watched[name] = session;
    await session.until(`${name} is up`, ({ state }) => state === 'up');
    expect((await frr.peer(address))?.status).toBe('up');
    // 300 ms are in force at both ends after the Poll Sequence
    await eventually(
      'negotiated',
      async () => {
        const info = (await bed.sessions.list()).find(({ remote }) =>
          path.remote.every((b, i) => b === remote[i]),
        );
        return info?.txIntervalUs === 300_000 && info.detectionUs === 900_000n ? true : undefined;
      },
      10_000,
    );
    expect(await frr.peer(address)).toMatchObject({
      'remote-receive-interval': 300,
      'remote-detect-multiplier': 3,
    });
  });

  it('negotiates other intervals without going down', async () => {
    const { session, seen } = of('IPv4');
    const before = seen.length;
    session.change({ ...FAST, desiredMinTxUs: 500_000, requiredMinRxUs: 700_000, detectMult: 4 });
    await eventually(
      'FRR knows',
      async () => {
        const peer = await frr.peer('10.77.0.1');
        return peer?.['remote-receive-interval'] === 700 &&
          peer['remote-transmit-interval'] === 500 &&
          peer['remote-detect-multiplier'] === 4
          ? true
          : undefined;
      },
      10_000,
    );
    await eventually(
      'in force here',
      async () => {
        const info = (await bed.sessions.list()).find(
          ({ remote }) => remote[0] === 10 && remote[2] === 0,
        );
        return info?.txIntervalUs === 500_000 && info.detectionUs === 2_100_000n ? true : undefined;
      },
      10_000,
    );
    // and the peer's change: slower, then back
    await frr.command(
      'conf t',
      'bfd',
      'peer 10.77.0.1 local-address 10.77.0.2 interface hop',
      'transmit-interval 900',
    );
    await eventually(
      'the peer slowed down',
      async () => {
        const info = (await bed.sessions.list()).find(
          ({ remote }) => remote[0] === 10 && remote[2] === 0,
        );
        return info?.detectionUs === 2_700_000n ? true : undefined;
      },
      10_000,
    );
    expect(seen.length).toBe(before);
    expect(session.status.state).toBe('up');
    session.change(FAST);
  });

  it('tells the peer that it is administratively down', async () => {
    const { session, until } = of('IPv6');
    session.change({ ...FAST, adminDown: true });
    await eventually(
      'FRR sees it',
      async () => {
        const peer = await frr.peer('fd77::1');
        return peer?.status === 'down' ? true : undefined;
      },
      10_000,
    );
    expect(session.status).toMatchObject({ state: 'admin-down', diagnostic: 7, failed: false });
    session.change(FAST);
    await until('up again', ({ state }) => state === 'up');
    await frr.command(
      'conf t',
      'bfd',
      'peer fd77::1 local-address fd77::2 interface hop',
      'shutdown',
    );
    // not a failure: RFC 5882 section 3.2
    expect(await until('down', ({ state }) => state === 'down', 10_000)).toMatchObject({
      ...{ remoteState: 'admin-down', diagnostic: 3, failed: false },
    });
    await frr.command(
      'conf t',
      'bfd',
      'peer fd77::1 local-address fd77::2 interface hop',
      'no shutdown',
    );
    await until('up once more', ({ state }) => state === 'up');
  });

  it('drops what is not from the link, and what no session awaits', async () => {
    const before = [bed.drops('bfd_ttl'), bed.drops('bfd_no_session'), bed.drops('bfd_malformed')];
    const script = [
      'import socket, sys',
      's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
      's.bind(("10.77.0.2", 0))',
      'good = bytes.fromhex("2040031800000001" + "00000000" + "000f4240" * 2 + "00000000")',
      'for ttl, data, count in ((254, good, 3), (255, good[:4] + good[4:8] + b"\\1\\2\\3\\4" + good[12:], 4), (255, good[:23], 5)):',
      '    s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)',
      '    for _ in range(count): s.sendto(data, ("10.77.0.1", 3784))',
    ].join('\n');
    await bed.lab.must(bed.peer, ['/usr/bin/python3', '-c', script]);
    await eventually(
      'counted',
      () => {
        const now = [bed.drops('bfd_ttl'), bed.drops('bfd_no_session'), bed.drops('bfd_malformed')];
        const rose = now.map((count, i) => count - (before[i] ?? 0n));
        return JSON.stringify(rose.map(Number)) === '[3,4,5]' ? true : undefined;
      },
      5000,
    );
    expect(of('IPv4').session.status.state).toBe('up');
  });

  it('goes down within the Detection Time when the peer dies, and comes back with it', async () => {
    const session = of('multihop IPv4');
    const seen = session.seen.length;
    frr.bfdd.kill('SIGKILL');
    const killed = performance.now();
    const down = await session.until('down', ({ state }) => state === 'down', 10_000);
    // 3 x 300 ms after its last packet; the rest is for the load of the machine
    expect(performance.now() - killed).toBeLessThan(900 + 1500);
    expect(down).toMatchObject({ diagnostic: 1, failed: true });
    expect(session.seen.slice(seen).filter(({ failed }) => failed)).toHaveLength(1);
    frr.startBfdd();
    await frr.ready();
    await session.until('up again', ({ state }) => state === 'up', 60_000);
  });

  it('leaves a capture in which tshark finds no fault', async () => {
    const file = await endCapture();
    const fields = [
      'bfd.version',
      'bfd.flags.c',
      'udp.dstport',
      'udp.srcport',
      'ip.ttl',
      '_ws.malformed',
      '_ws.expert',
    ] as const;
    const all = await dissect(file, fields, { filter: 'bfd' });
    expect(all.length).toBeGreaterThan(50);
    const ours = await dissect(
      file,
      [
        ...fields,
        'ipv6.hlim',
        'ip.dsfield.dscp',
        'bfd.detect_time_multiplier',
        'bfd.message_length',
      ],
      {
        filter:
          'bfd && (ip.src == 10.77.0.1 || ipv6.src == fd77::1 || ip.src == 10.77.1.1 || ipv6.src == fd77:1::1)',
      },
    );
    expect(ours.length).toBeGreaterThan(20);
    for (const frame of ours) {
      expect(frame).toMatchObject({
        'bfd.version': '1',
        'bfd.flags.c': '1',
        'bfd.message_length': '24',
      });
      expect([frame['_ws.malformed'], frame['_ws.expert']]).toEqual(['', '']);
      expect(Number(frame['udp.srcport'])).toBeGreaterThanOrEqual(49_152);
      // seen at the peer: one hop less over the router
      const ttl = Number(frame['ip.ttl'] || frame['ipv6.hlim']);
      expect(ttl).toBe(frame['udp.dstport'] === '3784' ? 255 : 254);
    }
    const polls = await dissect(file, ['frame.number'], { filter: 'bfd.flags.p == 1' });
    const finals = await dissect(file, ['frame.number'], { filter: 'bfd.flags.f == 1' });
    expect([polls.length > 0, finals.length > 0]).toEqual([true, true]);
    const both = await dissect(file, ['frame.number'], {
      filter: 'bfd.flags.f == 1 && bfd.flags.p == 1',
    });
    expect(both).toEqual([]);
  });

  it('refuses a second session of the same peer, and one with an address that is not there', async () => {
    expect(() => bed.watch({ ...SINGLE4, interface: 'hop' })).toThrow(/already/);
    const lost = bed.watch({ ...SINGLE4, local: ip('10.77.9.9') });
    await lost.until('a problem', ({ problem }) => problem !== undefined, 5000);
    expect(lost.session.status.problem).toMatch(/cannot bind a BFD socket to its local address/);
    lost.session.remove();
  });
});
