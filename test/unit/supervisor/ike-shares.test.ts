import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/config/types.js';
import type { LiveSa, Tables } from '../../../src/forwarding/addon/api.js';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import { ethernetHeader } from '../../../src/forwarding/headers.js';
import { saRowName, type TunnelModel } from '../../../src/forwarding/model.js';
import type { ChildInstall, ChildPolicy } from '../../../src/ike/child/types.js';
import type { EspCipher, Selector } from '../../../src/ike/negotiation/types.js';
import { createLogger } from '../../../src/lib/log.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { ChildSas } from '../../../src/supervisor/ike-sas.js';
import { SaRows } from '../../../src/supervisor/sa-rows.js';
import { VirtualTime } from './virtual-time.js';

const LOCAL = parseAddress('192.0.2.1')!;
const REMOTE = parseAddress('192.0.2.2')!;

const TUNNEL: TunnelModel = {
  ...{ name: 'peer', local: LOCAL, remote: REMOTE, protection: 'encrypt', encapsulation: 'gre' },
  ...{ dscp: 'copy', ecn: 'compatibility', ttl: 64, sa: undefined },
};

const only = (address: Uint8Array, protocol = 47): Selector => ({
  ...{ start: address, end: address, protocol, startPort: 0, endPort: 65535 },
});
const GCM: EspCipher = {
  ...{ name: 'ENCR_AES_GCM_16', id: 20, keyBits: 128, keyBytes: 20, saltBytes: 4 },
  ...{ kind: 'aead' as const, encrypts: true },
};
const POLICY: ChildPolicy = {
  ...{ service: 'encrypt/gre', mode: 'transport', proposals: [], resources: 1 },
  ...{ local: [only(LOCAL)], remote: [only(REMOTE)] },
  lifetimes: {
    ...{ softSeconds: 0, hardSeconds: 0, softBytes: 0n, hardBytes: 0n },
    ...{ softPackets: 0n, hardPackets: 5000n, jitter: 0 },
  },
};

function child(inboundSpi: number, more: Partial<ChildInstall> = {}): ChildInstall {
  const direction = () => ({ encryption: randomBytes(20), integrity: Buffer.alloc(0) });
  return {
    policy: POLICY,
    peer: {
      ...{ address: REMOTE, sp: 'own', method: 'psk', subject: '', anchor: 'a' },
      validUntil: undefined,
    },
    path: { local: { address: LOCAL, port: 500 }, remote: { address: REMOTE, port: 500 } },
    udpEncapsulation: false,
    suite: { cipher: GCM, integrity: undefined, esn: false },
    ...{ inboundSpi, outboundSpi: 0x2000_0000 + (inboundSpi & 0xffff) },
    ...{ local: POLICY.local, remote: POLICY.remote },
    ...{ inboundKeys: direction(), outboundKeys: direction(), resource: 0, replaces: undefined },
    ...more,
  };
}

/** Real tables; a worker that installs what it is told. */
let folder: string;
let real: Tables;
let installed: Set<string>;
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

describe('a pair for each packet thread (RFC 9611)', () => {
  const configure = (lcores: number): void => {
    rows.configure({ worker: { lcores } } as unknown as Config);
  };
  const up = async (resource: number, more: Partial<ChildInstall> = {}): Promise<number> => {
    const spi = sas.allocateSpi();
    expect(await sas.install(child(spi, { resource, ...more }))).toMatchObject({ ok: true });
    await sas.activate(spi);
    return spi;
  };
  const rowOf = (spi: number): LiveSa => {
    const name = saRowName('ike/encrypt/gre/192.0.2.2', spi);
    const found = real.sas('out').find((row) => row.name === name);
    if (found === undefined) throw new Error(`no row ${name}`);
    return found;
  };
  /** By thread: the inbound SPIs of the pairs. */
  const shares = (primary: number, ...expected: readonly (number | undefined)[]): void => {
    const ids = expected.map((spi) => (spi === undefined ? 0 : rowOf(spi).id));
    expect(real.saShares(rowOf(primary).id)).toEqual(ids);
  };

  it('next hops name the first; the others are their threads’', async () => {
    configure(3);
    const first = await up(0);
    published = [];
    const [second, third] = [await up(1), await up(2)];
    expect(published).toEqual([]);
    expect(used).toBe(rowOf(first).id);
    expect([first, second, third].map((spi) => rowOf(spi))).toMatchObject([
      { worker: 0, resource: 0 },
      { worker: 1, resource: 1 },
      { worker: 2, resource: 2 },
    ]);
    shares(first, undefined, second, third);
    // The peer has more threads: what it makes beyond ours is not sent by.
    await up(3);
    shares(first, undefined, second, third);
    expect([...sas.names()].map(({ inUse }) => inUse)).toEqual([true, true, true, true]);
  });

  it('a rekey of any of them keeps its thread, and no thread is without meanwhile', async () => {
    configure(2);
    const [first, second] = [await up(0), await up(1)];
    const newSecond = await up(1, { replaces: second });
    shares(first, undefined, newSecond);
    expect(used).toBe(rowOf(first).id);
    sas.remove(second, 0);
    await time.settle();
    shares(first, undefined, newSecond);
    const newFirst = await up(0, { replaces: first });
    expect(used).toBe(rowOf(newFirst).id);
    shares(newFirst, undefined, newSecond);
    shares(first, undefined, newSecond); // packets on their way still name it
    sas.remove(first, 0);
    await time.settle();
    shares(newFirst, undefined, newSecond);
    expect(live('out')).toHaveLength(2);
    expect(log).toEqual([]);
  });

  it('the loss of one leaves its thread none; that of the first makes another one the next hops’', async () => {
    configure(2);
    const [first, second] = [await up(0), await up(1)];
    sas.remove(second, 0);
    await time.settle();
    shares(first);
    const again = await up(1);
    shares(first, undefined, again);
    sas.remove(first, 0);
    await time.settle();
    expect(used).toBe(rowOf(again).id);
    shares(again);
    const back = await up(0);
    expect(used).toBe(rowOf(back).id);
    expect(rowOf(back).worker).toBe(0);
    shares(back, undefined, again);
  });

  it('when the first is lost the others are beside the next one, and an older one is there again', async () => {
    configure(3);
    const [first, second, third] = [await up(0), await up(1), await up(2)];
    const twice = await up(2);
    sas.remove(first, 0);
    await time.settle();
    expect(used).toBe(rowOf(second).id);
    shares(second, undefined, undefined, twice);
    sas.remove(twice, 0);
    await time.settle();
    shares(second, undefined, undefined, third);
  });

  it('those of an IKE SA that a restart has ended carry on beside the first of the next', async () => {
    configure(2);
    const [, second] = [await up(0), await up(1)];
    sas.close();
    start();
    configure(2);
    const next = await up(0);
    expect(used).toBe(rowOf(next).id);
    shares(next, undefined, second);
  });

  it('another suite than the first one’s is not sent by', async () => {
    configure(2);
    const first = await up(0);
    const suite = {
      cipher: { ...GCM, keyBits: 256, keyBytes: 36 },
      integrity: undefined,
      esn: false,
    };
    const keys = () => ({ encryption: randomBytes(36), integrity: Buffer.alloc(0) });
    await up(1, { suite, inboundKeys: keys(), outboundKeys: keys() });
    shares(first);
    expect(log).toEqual([]);
  });

  it('stay each thread’s over a restart, from the first moment on', async () => {
    configure(2);
    const [first, second] = [await up(0), await up(1)];
    sas.close();
    start();
    shares(first, undefined, second);
    configure(2);
    shares(first, undefined, second);
    for (const spi of [first, second]) expect(sas.adopt(spi)).toBe(true);
    shares(first, undefined, second);
    expect(sas.current(TUNNEL)?.row).toBe(rowOf(first).name);
    const next = await up(1, { replaces: second });
    expect(rowOf(next).worker).toBe(1);
    shares(first, undefined, next);
    await time.pass(600_000);
    expect(live('out')).toHaveLength(3);
  });

  it('are shared out anew when there are other threads', async () => {
    configure(3);
    const [first, second, third] = [await up(0), await up(1), await up(2)];
    configure(2);
    shares(first, undefined, second);
    configure(1);
    shares(first);
    configure(3);
    shares(first, undefined, second, third);
  });
});
