// SPDX-License-Identifier: Apache-2.0
/**
 * Labels per CE and per prefix (policy-model 1, 5) between two PEs, with BIRD as CE of the first:
 *
 *   ce1 (65100), 10.1.0.2 and .3 ---- pe1 ======= pe2 ---- ce2, 10.2.0.2
 *   198.51.100.1, 198.51.101.1, 198.51.102.1
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { missing, startBgpPeer, type BgpPeer } from '../../lib/bgp-peers.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

const absent = missing('bird');
const folder = mkdtempSync(`${tmpdir()}/trlb-`);
let net: TwoPes;
let bird: BgpPeer;

/** Prefixes of the CE and the address in its subnet that it says leads to them. */
type CeRoutes = Readonly<Record<string, string>>;
const ONE = '198.51.100.0/24';
const TWO = '198.51.101.0/24';
const THREE = '198.51.102.0/24';
const SUBNET = '10.1.0.0/24';

function birdConfig(routes: CeRoutes): string {
  return [
    'log stderr all;',
    'router id 10.1.0.2;',
    'protocol device {}',
    'protocol direct { ipv4; }',
    'protocol static {',
    ' ipv4;',
    ...Object.entries(routes).map(([prefix, via]) => ` route ${prefix} via ${via};`),
    '}',
    'protocol bgp sealane {',
    ' local 10.1.0.2 as 65100;',
    ' neighbor 10.1.0.1 as 65001;',
    ' connect delay time 1;',
    ' error wait time 1, 2;',
    ' ipv4 { import all; export where source = RTS_STATIC; next hop keep; };',
    '}',
    '',
  ].join('\n');
}

async function ceSays(routes: CeRoutes): Promise<void> {
  writeFileSync(`${bird.folder}/bird.conf`, birdConfig(routes), { mode: 0o600 });
  expect(await bird.command('configure')).toMatch(/Reconfigur/);
}

type LabelMode = 'vrf' | 'ce' | 'prefix';

function config(end: End, labelPer: LabelMode = 'vrf'): Config {
  const targets = ['65001:100'];
  const timers = { connectRetry: 1 };
  return {
    ...net.config(end),
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}`, ebgpRequiresPolicy: false },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: { asn: 65001, timers } },
    },
    vrfs: {
      A: {
        addresses: [`10.255.0.${end}/32`],
        ...(end === 1 && { routes: [{ prefix: '10.66.0.0/16', via: '10.1.0.2' }] }),
        bgp: {
          ...{ rd: `65001:${end}`, importTargets: targets, exportTargets: targets, labelPer },
          redistribute: { connected: true, static: true },
          ...(end === 1 && { neighbours: { '10.1.0.2': { asn: 65100, timers } } }),
        },
      },
    },
  };
}

/** Labels that the other PE has been given, by prefix. */
async function labelsAt2(): Promise<ReadonlyMap<string, number>> {
  const rows = await net.show(2, 'routes').catch(() => []);
  const found = new Map<string, number>();
  for (const { vrf, owner, prefix, label } of rows) {
    if (vrf === 'A' && owner === 'bgp' && label !== undefined) found.set(prefix, label);
  }
  return found;
}

/** Waits until exactly these prefixes of the CE are there. */
async function given(...prefixes: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const wanted = [...prefixes].sort().join(' ');
  return eventually(
    `PE 2 has ${wanted}`,
    async () => {
      for (const end of [1, 2] as const) {
        if (net.supervisor(end).exitCode !== null) throw new Error(net.logText(end));
      }
      const labels = await labelsAt2();
      const ofCe = [...labels.keys()].filter((prefix) => prefix.startsWith('198.51.'));
      return ofCe.sort().join(' ') === wanted && labels.has(SUBNET) ? labels : undefined;
    },
    60_000,
  );
}

/** The row of a label at the PE that gave it. */
async function row(label: number | undefined) {
  const rows = await net.show(1, 'labels');
  return rows.find((one) => one.label === label);
}

async function reload(end: End, to: Config): Promise<void> {
  const path = net.write(end, to);
  await net.client(end, async (client) => client.reload(path, false));
}

/** Kills the supervisor of PE 1 and waits until a new one has exported these prefixes. */
async function restart(...prefixes: readonly string[]): Promise<ReadonlyMap<string, string>> {
  await net.killSupervisor(1);
  net.start(1);
  await net.tunnelUp(1);
  return eventually(
    'PE 1 exports again',
    async () => {
      const rows = await net.show(1, 'bgp routes').catch(() => []);
      const own = rows.filter(
        ({ vrf, rd, neighbor }) => vrf === '' && rd !== '' && neighbor === '',
      );
      const labels = new Map(own.map(({ prefix, label }) => [prefix, label]));
      return prefixes.every((prefix) => labels.has(prefix)) ? labels : undefined;
    },
    60_000,
  );
}

beforeAll(async () => {
  if (absent !== undefined) return;
  net = await TwoPes.open('trlb');
  const netns = net.ce(1);
  await net.lab.ip(netns, [
    'addr add 10.1.0.3/24 dev eth0',
    ...[0, 1, 2].map((n) => `addr add 198.51.10${n}.1/32 dev lo`),
    'addr add 10.66.0.1/32 dev lo',
  ]);
  for (const end of [1, 2] as const) {
    net.write(end, config(end, end === 1 ? 'ce' : 'vrf'));
    net.start(end);
  }
  for (const end of [1, 2] as const) await net.tunnelUp(end);
  bird = await startBgpPeer(net.lab, 'bird', {
    ...{ netns, name: 'ce1', folder },
    config: birdConfig({ [ONE]: '10.1.0.2', [TWO]: '10.1.0.3' }),
  });
  await bird.waitEstablished('10.1.0.1');
});
afterAll(async () => {
  if (absent === undefined) await net.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(absent !== undefined)('a label per CE', () => {
  it('leads straight to the CE; what is not behind one has the label of the VRF', async () => {
    const labels = await given(ONE, TWO);
    expect(await row(labels.get(ONE))).toMatchObject({ action: 'nexthop', target: '10.1.0.2' });
    expect(await row(labels.get(TWO))).toMatchObject({ action: 'nexthop', target: '10.1.0.3' });
    // A static route to the same CE means the same.
    expect(labels.get('10.66.0.0/16')).toBe(labels.get(ONE));
    const ofVrf = await row(labels.get(SUBNET));
    expect(ofVrf).toMatchObject({ action: 'vrf', accept: 'encrypt gre,ip from example' });
    expect(labels.get('10.255.0.1/32')).toBe(ofVrf?.label);
    expect((await row(labels.get(ONE)))?.accept).toBe(ofVrf?.accept);
    const addresses = ['198.51.100.1', '198.51.101.1', '10.66.0.1', '10.1.0.2', '10.255.0.1'];
    for (const address of addresses) await net.reach(2, address);
    // Packets came by that label, and by no other way.
    expect((await row(labels.get(TWO)))?.packets).toBeGreaterThan(0n);
  });

  it('is another one, without loss, when the route leads to another CE', async () => {
    const before = await given(ONE, TWO);
    const flood = net.lab.exec(net.ce(2), ['ping', '-i0.02', '-c300', '-q', '198.51.100.1'], {
      timeoutMs: 60_000,
    });
    await ceSays({ [ONE]: '10.1.0.3', [TWO]: '10.1.0.3' });
    const after = await eventually('PE 2 has the other label', async () => {
      const labels = await labelsAt2();
      return labels.get(ONE) === before.get(TWO) ? labels : undefined;
    });
    expect(after.get(TWO)).toBe(before.get(TWO));
    expect((await flood).stdout).toContain('300 packets transmitted, 300 received');
    await ceSays({ [ONE]: '10.1.0.2', [TWO]: '10.1.0.3' });
    await eventually('PE 2 has the label of before', async () =>
      (await labelsAt2()).get(ONE) === before.get(ONE) ? true : undefined,
    );
  });

  it('is the same after the supervisor was killed', async () => {
    const before = await given(ONE, TWO);
    const all = [ONE, TWO, SUBNET, '10.66.0.0/16'];
    const exported = await restart(...all);
    for (const prefix of all) expect(exported.get(prefix)).toBe(String(before.get(prefix)));
    expect(await row(before.get(TWO))).toMatchObject({ target: '10.1.0.3' });
    await given(ONE, TWO);
    await net.reach(2, '198.51.101.1');
  });
});

describe.skipIf(absent !== undefined)('a label per prefix', () => {
  it('is one for each, to its CE or into the VRF', async () => {
    await reload(1, config(1, 'prefix'));
    const labels = await eventually('PE 2 has new labels', async () => {
      const found = await labelsAt2();
      const own = [ONE, TWO, SUBNET, '10.66.0.0/16', '10.255.0.1/32'].map((p) => found.get(p));
      return !own.includes(undefined) && new Set(own).size === own.length ? found : undefined;
    });
    expect(await row(labels.get(ONE))).toMatchObject({ action: 'nexthop', target: '10.1.0.2' });
    expect(await row(labels.get(TWO))).toMatchObject({ action: 'nexthop', target: '10.1.0.3' });
    const ofSubnet = await row(labels.get(SUBNET));
    expect(ofSubnet).toMatchObject({ action: 'vrf', accept: 'encrypt gre,ip from example' });
    for (const address of ['198.51.100.1', '198.51.101.1', '10.1.0.2']) await net.reach(2, address);
  });

  it('stays, without loss, when the prefix leads to another CE', async () => {
    const before = await given(ONE, TWO);
    const flood = net.lab.exec(net.ce(2), ['ping', '-i0.02', '-c200', '-q', '198.51.100.1'], {
      timeoutMs: 60_000,
    });
    await ceSays({ [ONE]: '10.1.0.3', [TWO]: '10.1.0.3' });
    await eventually('the label leads to the other CE', async () =>
      (await row(before.get(ONE)))?.target === '10.1.0.3' ? true : undefined,
    );
    expect((await flood).stdout).toContain('200 packets transmitted, 200 received');
    expect((await given(ONE, TWO)).get(ONE)).toBe(before.get(ONE));
  });

  it('does not give the value of a withdrawn prefix to another, and gives it back to its own', async () => {
    const before = await given(ONE, TWO);
    const value = before.get(ONE);
    await ceSays({ [TWO]: '10.1.0.3' });
    await given(TWO);
    await eventually(
      'the label is out of the tables',
      async () => ((await row(value)) === undefined ? true : undefined),
      60_000,
    );
    await ceSays({ [TWO]: '10.1.0.3', [THREE]: '10.1.0.2' });
    const other = await given(TWO, THREE);
    expect(other.get(THREE)).not.toBe(value);
    expect(other.get(TWO)).toBe(before.get(TWO));
    await net.reach(2, '198.51.102.1');
    await ceSays({ [ONE]: '10.1.0.2', [TWO]: '10.1.0.3', [THREE]: '10.1.0.2' });
    expect((await given(ONE, TWO, THREE)).get(ONE)).toBe(value);
  });

  it('is the same after the supervisor was killed, and on disk', async () => {
    const before = await given(ONE, TWO, THREE);
    const all = [ONE, TWO, THREE, SUBNET];
    const exported = await restart(...all);
    for (const prefix of all) expect(exported.get(prefix)).toBe(String(before.get(prefix)));
    await given(ONE, TWO, THREE);
    const journal = readFileSync(`${net.run}/pe1/state/route-labels.journal`, 'utf8');
    expect(journal).toContain(`"label":${before.get(THREE)},"text":"prefix ${THREE} of VRF A, `);
    await net.reach(2, '198.51.100.1');
  });

  it('are two thousand as well, each on disk', async () => {
    const many = Array.from({ length: 2_000 }, (_, i) => `198.18.${i >> 5}.${(i & 31) * 8}/29`);
    await ceSays(Object.fromEntries([ONE, ...many].map((prefix) => [prefix, '10.1.0.2'])));
    const labels = await eventually(
      'PE 2 has them all',
      async () => {
        const all = await labelsAt2();
        const own = many.map((prefix) => all.get(prefix));
        return new Set(own).size === many.length && !own.includes(undefined) ? all : undefined;
      },
      60_000,
    );
    const journal = readFileSync(`${net.run}/pe1/state/route-labels.journal`, 'utf8');
    for (const prefix of many) {
      expect(journal).toContain(`{"label":${labels.get(prefix)},"text":"prefix ${prefix} of VRF A`);
    }
    await net.reach(2, '198.51.100.1');
  });
});
