// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SaRow, Tables } from '../../../src/forwarding/addon/api.js';
import { keyCheck, loadAddon } from '../../../src/forwarding/addon/load.js';
import { ethernetHeader } from '../../../src/forwarding/headers.js';
import type { ChildInstall } from '../../../src/ike/child/types.js';
import { createLogger } from '../../../src/lib/log.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { INTEGRITY } from '../../../src/ike/crypto/algorithms.js';
import { ESP_CIPHERS } from '../../../src/ike/negotiation/esp-ciphers.js';
import { ChildSas } from '../../../src/supervisor/ike-sas.js';
import { tunnelSaKey } from '../../../src/supervisor/ike-sa-row.js';
import { SaRows } from '../../../src/supervisor/sa-rows.js';
import { saRows, type ShowSource } from '../../../src/supervisor/show-rows.js';
import { SpiPool } from '../../../src/supervisor/spi-pool.js';
import { GCM, LOCAL, POLICY, REMOTE, TUNNEL, child, only } from './child-install.js';
import { VirtualTime } from './virtual-time.js';

/** Real tables; a worker that installs what it is told. */
let folder: string;
let real: Tables;
let installed: Set<string>;
let probe: { probeRound: number; probeBytes: number };
let activated: number[];
let tables: Tables;
let rows: SaRows;
let time: VirtualTime;
let log: string[];
let sas: ChildSas;
/** What the next hop leads to, as `publish` brought it last, and the keys of who was to follow. */
let used: number | undefined;
let published: string[];
let install: (out: readonly number[], inbound: readonly number[]) => Promise<void>;

/** The worker's part, which unit tests have none of: readiness and reachability. */
function withWorker(): Tables {
  const state: Tables['saState'] = (direction, id) => ({
    ...real.saState(direction, id),
    ready: installed.has(`${direction} ${String(id)}`),
    ...(direction === 'in' && probe),
  });
  const activate: Tables['activateSa'] = (id) => {
    if (!installed.has(`in ${String(id)}`)) throw new Error('not installed');
    activated.push(id);
  };
  return new Proxy(real, {
    get: (target, name) => {
      if (name === 'saState') return state;
      if (name === 'activateSa') return activate;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

function start(): void {
  tables = withWorker();
  rows = new SaRows(tables);
  sas = new ChildSas({
    ...{ tables, rows, timers: time, random: randomBytes },
    spTable: (sp) => (sp === 'own' ? 1 : undefined),
    installer: async (out, inbound) => install(out, inbound),
    publish: async (keys) => {
      await Promise.resolve();
      published.push(...keys);
      publish();
    },
    log: createLogger({ write: (line) => log.push(line), now: () => '' }, 'debug'),
  });
}

/** As reconciliation does. */
function publish(): void {
  const slot = real.nexthop('tunnel/peer');
  const now = sas.current(TUNNEL);
  used = now && rows.id('out', now.row);
  real.setNexthop(
    slot,
    now && used !== undefined
      ? {
          ...{ kind: 'tunnel', interface: real.interfaces()[0]!.id, mtu: 1400, sa: used },
          ...{ protection: 'encrypt', encapsulation: 'gre', dscpCopy: true, ecnCopy: false },
          header: {
            ethernet: ethernetHeader(new Uint8Array(6), new Uint8Array(6), { vlan: 0 }, 4),
            ...{ source: LOCAL, destination: REMOTE },
            ...{ ttl: 64, dscp: 0, flowLabel: 0, spi: now.spi },
          },
        }
      : undefined,
  );
}

beforeEach(() => {
  folder = mkdtempSync('/dev/shm/sealane-ike-sas-');
  real = loadAddon().openTables({ tables: `${folder}/tables`, state: `${folder}/state` });
  real.putInterface({
    ...{ name: 'core0', role: 'core', vrf: 0, port: real.portId('wan'), vlan: 0, mtu: 1500 },
    ...{
      mac: new Uint8Array(6),
      acceptGre: false,
      acceptIp: false,
      mplsOwnSp: false,
      mplsOtherSp: false,
    },
  });
  probe = { probeRound: 0, probeBytes: 0 };
  installed = new Set();
  [activated, published, log] = [[], [], []];
  time = new VirtualTime();
  install = async (out, inbound) => {
    await Promise.resolve();
    for (const id of out) installed.add(`out ${String(id)}`);
    for (const id of inbound) installed.add(`in ${String(id)}`);
  };
  start();
});
afterEach(() => {
  sas.close();
  real.close();
  rmSync(folder, { recursive: true });
});

const live = (direction: 'in' | 'out'): string[] => real.sas(direction).map(({ name }) => name);

describe('child SAs in the tables', () => {
  it('are two rows with the SP table of the peer, reachable once the worker has them, sending when activated', async () => {
    const spi = sas.allocateSpi();
    const one = child(spi);
    expect(await sas.install(one)).toEqual({ ok: true, value: undefined });
    const name = `ike/encrypt/gre/192.0.2.2@${spi.toString(16).padStart(8, '0')}`;
    expect(real.sas('in')).toMatchObject([
      { name, spi, algorithm: 'aes-gcm-128', spTable: 1, replayWindow: 1024, packetLimit: 0n },
    ]);
    expect(real.sas('out')).toMatchObject([
      { name, spi: one.outboundSpi, spTable: 0, replayWindow: 0, packetLimit: 5000n },
    ]);
    const [inbound] = real.sas('in');
    expect([...inbound!.source, ...inbound!.destination]).toEqual([...REMOTE, ...LOCAL]);
    expect(inbound!.keyCheck).toBe(keyCheck(one.inboundKeys.encryption));
    expect(real.sas('out')[0]!.keyCheck).toBe(keyCheck(one.outboundKeys.encryption));
    expect(activated).toEqual([inbound!.id]);
    // Not sent with before it is told to.
    expect(sas.current(TUNNEL)).toBeUndefined();
    await sas.activate(spi);
    expect(published).toEqual([tunnelSaKey(TUNNEL)]);
    expect(used).toBe(real.sas('out')[0]!.id);
    expect(sas.current({ ...TUNNEL, encapsulation: 'ip' })).toBeUndefined();
    expect(sas.current({ ...TUNNEL, protection: 'authenticate' })).toBeUndefined();
    expect(sas.usage(spi)).toEqual({
      ...{ inboundPackets: 0n, inboundBytes: 0n, outboundPackets: 0n, outboundBytes: 0n },
    });
  });

  it('say which probe came last by the inbound one', async () => {
    const spi = sas.allocateSpi();
    await sas.install(child(spi));
    expect(sas.probeSeen(spi)).toEqual({ round: 0, bytes: 0 });
    probe = { probeRound: 0xffffffff, probeBytes: 1496 };
    expect(sas.probeSeen(spi)).toEqual({ round: 0xffffffff, bytes: 1496 });
    expect(sas.probeSeen(spi + 1)).toBeUndefined();
  });

  it('are replaced make before break: the next hop has the new one before the old row goes', async () => {
    const [old, next] = [sas.allocateSpi(), sas.allocateSpi()];
    await sas.install(child(old));
    await sas.activate(old);
    const before = used;
    await sas.install(child(next, { replaces: old }));
    expect(used).toBe(before);
    await sas.activate(next);
    expect(used).not.toBe(before);
    expect(live('out')).toHaveLength(2);
    sas.remove(old, 5_000);
    await time.settle();
    expect(live('out')).toEqual([sas.current(TUNNEL)!.row]);
    expect(live('in')).toHaveLength(2);
    await time.pass(4_999);
    expect(live('in')).toHaveLength(2);
    await time.pass(1);
    expect(live('in')).toEqual([sas.current(TUNNEL)!.row]);
    expect(log).toEqual([]);
  });

  it('let the other one of two carry on when the one in use goes, and leave nothing when both do', async () => {
    const [one, two] = [sas.allocateSpi(), sas.allocateSpi()];
    for (const spi of [one, two]) {
      await sas.install(child(spi));
      await sas.activate(spi);
    }
    sas.remove(two, 0);
    await time.settle();
    expect(real.sas('out').map(({ id }) => id)).toEqual([used]);
    sas.remove(one, 0);
    await time.settle();
    expect([used, live('in'), live('out')]).toEqual([undefined, [], []]);
    expect(sas.usage(one)).toBeUndefined();
  });

  it('are gone without grace when all ends', async () => {
    const spi = sas.allocateSpi();
    await sas.install(child(spi));
    await sas.activate(spi);
    sas.remove(spi, 60_000);
    await sas.install(child(sas.allocateSpi()));
    expect([live('in').length, live('out').length]).toEqual([2, 1]);
    await sas.end();
    expect([used, live('in'), live('out')]).toEqual([undefined, [], []]);
  });

  it('leave no row when the worker refuses, or when they are removed meanwhile', async () => {
    install = async () => Promise.reject(new Error('the worker refuses'));
    const spi = sas.allocateSpi();
    expect(await sas.install(child(spi))).toMatchObject({
      ok: false,
      failure: { code: 'INTERNAL', by: 'us', reason: 'the worker refuses' },
    });
    expect([live('in'), live('out')]).toEqual([[], []]);
    const gone = sas.allocateSpi();
    install = async () => {
      sas.remove(gone, 0);
      return time.settle();
    };
    expect(await sas.install(child(gone))).toMatchObject({
      ok: false,
      failure: { code: 'CLOSED' },
    });
    expect([live('in'), live('out'), activated]).toEqual([[], [], []]);
  });

  it.each<[string, Partial<ChildInstall>]>([
    [
      'another cipher',
      { suite: { cipher: { ...GCM, id: 13, keyBits: 128 }, integrity: undefined, esn: false } },
    ],
    ['tunnel mode', { policy: { ...POLICY, mode: 'tunnel' } }],
    ['another protocol', { local: [only(LOCAL, 6)], remote: [only(REMOTE, 6)] }],
    ['protocol any', { local: [only(LOCAL, 0)], remote: [only(REMOTE, 0)] }],
    ['two protocols', { local: [only(LOCAL)], remote: [only(REMOTE, 137)] }],
    ['another address', { local: [only(parseAddress('192.0.2.9')!)] }],
    ['an SP that is not configured', { peer: { ...child(0).peer, sp: 'x' } }],
  ])('are refused with what the worker does not carry: %s', async (_, more) => {
    const spi = sas.allocateSpi();
    expect(await sas.install(child(spi, more))).toMatchObject({ ok: false });
    expect([live('in'), live('out')]).toEqual([[], []]);
  });

  it('are known again after a restart: those of an IKE SA go on, the others end', async () => {
    const [kept, idle, half] = [sas.allocateSpi(), sas.allocateSpi(), sas.allocateSpi()];
    await sas.install(child(half));
    sas.remove(half, 60_000); // its outbound row goes, and we die before the inbound one does
    await time.settle();
    await sas.install(child(kept));
    await sas.activate(kept);
    await sas.install(child(idle));
    const manual: SaRow = { ...real.sas('out')[0]!, name: 'lab@00000100', spi: 256 };
    real.addSa('out', manual, randomBytes(20));
    sas.close();
    start();
    // Before anybody says so packets go on by the SA that the next hop has.
    expect(sas.current(TUNNEL)).toMatchObject({
      row: expect.stringContaining(kept.toString(16)) as string,
    });
    expect(sas.adopt(kept)).toBe(true);
    expect(sas.adopt(12345)).toBe(false);
    expect(live('in')).toHaveLength(3);
    await time.pass(30_000);
    expect(live('in')).toHaveLength(2);
    await time.pass(570_000);
    expect(live('in')).toEqual([sas.current(TUNNEL)!.row]);
    expect(live('out').sort()).toEqual([sas.current(TUNNEL)!.row, 'lab@00000100'].sort());
  });
});

it('child SAs that nothing led to at a restart are there for whoever wants one, and stand by', async () => {
  const [first, second] = [sas.allocateSpi(), sas.allocateSpi()];
  const row = (spi: number): unknown => expect.stringContaining(spi.toString(16));
  await sas.install(child(first));
  sas.close();
  start();
  expect([sas.current(TUNNEL), sas.adopt(first)]).toEqual([undefined, true]);
  await time.settle();
  expect(used).toBe(rows.id('out', sas.current(TUNNEL)?.row ?? ''));
  await sas.install(child(second));
  sas.close();
  start();
  for (const spi of [first, second]) sas.adopt(spi);
  expect(sas.current(TUNNEL)?.row).toEqual(row(first));
  sas.remove(first, 0);
  expect(sas.current(TUNNEL)?.row).toEqual(row(second));
});

describe('a peer that makes and deletes child SAs as fast as it can', () => {
  const OTHER = parseAddress('192.0.2.3')!;
  const other = (spi: number): ChildInstall =>
    child(spi, {
      path: { local: { address: LOCAL, port: 500 }, remote: { address: OTHER, port: 500 } },
      remote: [only(OTHER)],
    });
  const make = async (from = child): Promise<number | undefined> => {
    const spi = sas.allocateSpi();
    const made = await sas.install(from(spi));
    if (made.ok) return spi;
    expect(made.failure).toEqual({
      ...{ code: 'BUSY', by: 'us', reason: '192.0.2.2 has 256 child SAs here' },
    });
    sas.releaseSpi(spi);
    return undefined;
  };

  it('has no more rows than one may have, those in their grace time included; others are not touched', async () => {
    let refused = 0;
    for (let i = 0; i < 1000; i++) {
      const spi = await make();
      if (spi === undefined) refused++;
      else if (i > 0) sas.remove(spi, 5_000);
    }
    await time.settle();
    expect(refused).toBe(744);
    expect([live('in').length, live('out').length]).toEqual([256, 1]);
    expect(await make(other)).toBeDefined();
    // What it has left stays, and it may go on when the grace time is over.
    await time.pass(5_000);
    expect(live('in')).toHaveLength(2);
    expect(await make()).toBeDefined();
  });

  it('cannot begin anew because the supervisor was restarted, or because an installation failed', async () => {
    for (let i = 0; i < 256; i++) await make();
    sas.close();
    start();
    expect(await make()).toBeUndefined();
    const [{ spi } = { spi: 0 }] = real.sas('in');
    sas.remove(spi, 0);
    await time.settle();
    const works = install;
    install = async () => Promise.reject(new Error('the worker refuses'));
    const failing = sas.allocateSpi();
    expect(await sas.install(child(failing))).toMatchObject({ failure: { code: 'INTERNAL' } });
    install = works;
    expect(await make()).toBeDefined();
    expect(await make()).toBeUndefined();
  });
});

describe('a listing', () => {
  it('leaves out rows that go before their turn, whoever has their ids by then', async () => {
    const [one, two] = [sas.allocateSpi(), sas.allocateSpi()];
    await sas.install(child(one));
    await sas.install(child(two));
    const plan = { config: { ownSp: 'own' }, sps: { name: () => 'own' } };
    const source = { tables, saRows: rows, instance: { inForce: { plan } } };
    const listing = saRows(source as unknown as ShowSource);
    const hex = (spi: number): string => `0x${spi.toString(16).padStart(8, '0')}`;
    expect(listing.next().value).toMatchObject({ direction: 'out' });
    expect(listing.next().value).toMatchObject({ direction: 'out' });
    expect(listing.next().value).toMatchObject({ direction: 'in', spi: hex(one) });
    sas.remove(two, 0);
    await time.settle();
    expect(listing.next().done).toBe(true);
  });
});

describe('SPIs', () => {
  it('are never below 256, never share their lower 20 bits with one in use, and rest after use', () => {
    const given = [0, 255, 0x1234_5678, 0x9994_5678, 0x0000_0101];
    let now = 0;
    const octets = (): Uint8Array => {
      const next = Buffer.alloc(4);
      next.writeUInt32BE(given.shift() ?? 0xabc0_0000 + given.length);
      return next;
    };
    const pool = new SpiPool({ random: octets, now: () => now });
    expect(pool.allocate()).toBe(0x1234_5678);
    expect(pool.allocate()).toBe(0x0000_0101);
    pool.release(0x1234_5678);
    given.push(0x1234_5678, 0x2222_2222);
    expect(pool.allocate()).toBe(0x2222_2222);
    now = 120_001;
    given.push(0x1234_5678);
    expect(pool.allocate()).toBe(0x1234_5678);
  });
});

it('takes keys of the cipher and of the integrity', async () => {
  const spi = sas.allocateSpi();
  const keys = () => ({ encryption: randomBytes(32), integrity: randomBytes(64) });
  const suite = { cipher: ESP_CIPHERS['aes-256-cbc'], integrity: INTEGRITY.sha512, esn: true };
  const path = {
    local: { address: LOCAL, port: 4500 },
    remote: { address: REMOTE, port: 61_234 },
  };
  const more = { suite, path, udpEncapsulation: true, inboundKeys: keys(), outboundKeys: keys() };
  expect(await sas.install(child(spi, more))).toEqual({ ok: true, value: undefined });
  expect(tables.sas('out')).toMatchObject([
    { algorithm: 'aes-cbc-256-sha-512', esn: true, udp: { source: 4500, destination: 61_234 } },
  ]);
  await sas.activate(spi);
  expect(sas.current(TUNNEL)?.esp).toEqual({ iv: 16, icv: 32, align: 16, inUdp: true });
});
