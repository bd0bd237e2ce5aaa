// SPDX-License-Identifier: Apache-2.0
/**
 * Policy-model 1-5 on packets: each rule with what it lets through and what it stops, the latter also
 * from peers that hold correct keys, of the own SP and of another.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AcceptSet, Encapsulation } from '../../src/forwarding/addon/api.js';
import { eventually } from '../../scripts/lib/lab.js';
import { sealEsp } from '../lib/esp.js';
import { gre, labelEntry, PROTOCOL } from '../lib/packets.js';
import { carried, coreFrame, innerPacket, mplsFrame, tunnelFrame } from './frames.js';
import {
  ANY,
  ENCAPSULATIONS,
  ENCRYPTED,
  FAMILIES,
  HERE,
  MAC,
  Pe,
  THERE,
  type Family,
  type Sa,
} from './pe.js';

let pe: Pe;
beforeAll(async () => {
  pe = await Pe.start('policy');
  pe.route('a', HERE[4], pe.adjacency('ce', MAC.a, 4), { accept: EVERYTHING, length: 24 });
  for (const arrival of ARRIVALS) {
    if (arrival.protection === 'clear') continue;
    const { protection, encapsulation, sp } = arrival;
    const algorithm = protection === 'encrypt' ? 'aes-gcm-128' : 'aes-gmac-128';
    sas.set(arrival.name, await pe.sa('in', { algorithm, encapsulation, spTable: sp }));
  }
});
afterAll(async () => {
  await pe.close();
});

/** A way for a labelled packet to come. SP 1 is the own one. */
type Arrival =
  | {
      readonly name: string;
      readonly protection: 'encrypt' | 'authenticate';
      readonly encapsulation: Encapsulation;
      readonly sp: number;
    }
  | { readonly name: string; readonly protection: 'clear'; readonly clear: 'gre' | 'ip' | 'mpls' };

const ARRIVALS: readonly Arrival[] = [
  ...(['encrypt', 'authenticate'] as const).flatMap((protection) =>
    ENCAPSULATIONS.flatMap((encapsulation) =>
      [1, 2].map((sp) => {
        const name = `${protection}, MPLS-in-${encapsulation}, SP ${String(sp)}`;
        return { name, protection, encapsulation, sp };
      }),
    ),
  ),
  ...(['gre', 'ip', 'mpls'] as const).map((clear) => {
    const name = clear === 'mpls' ? 'plain MPLS' : `MPLS-in-${clear} in clear`;
    return { name, protection: 'clear', clear } as const;
  }),
];
const ENCRYPTED_GRE: Arrival = {
  ...{ name: 'encrypt, MPLS-in-gre, SP 1', protection: 'encrypt', encapsulation: 'gre', sp: 1 },
};
const sas = new Map<string, Sa>();
const sequences = new Map<string, number>();

const fromThere = (destination: string = HERE[4]): Buffer =>
  innerPacket({ family: 4, source: THERE[4], destination });

/** The frame of an arrival; in clear on the interface that accepts everything. */
function frameOf(arrival: Arrival, label: number, packet: Buffer): Buffer {
  if (arrival.protection === 'clear' && arrival.clear === 'mpls') {
    return mplsFrame(Buffer.concat([labelEntry(label), packet]), 20);
  }
  const common = { family: 4, direction: 'in', label, packet } as const;
  if (arrival.protection === 'clear') {
    const encapsulation = arrival.clear === 'gre' ? 'gre' : 'ip';
    return tunnelFrame({ ...common, encapsulation, vlan: 20 });
  }
  const sa = sas.get(arrival.name);
  if (sa === undefined) throw new Error(`no SA for ${arrival.name}`);
  const sequence = (sequences.get(arrival.name) ?? 0) + 1;
  sequences.set(arrival.name, sequence);
  return tunnelFrame({ ...common, encapsulation: arrival.encapsulation, sa, sequence });
}

/** "accepted", or the reasons that rose. */
type Verdict = string;

/** What became of one packet of each arrival. */
async function verdicts(label: number, packet = fromThere()): Promise<Record<string, Verdict>> {
  const found: Record<string, Verdict> = {};
  for (const arrival of ARRIVALS) {
    const { out, drops } = await pe.run({ core: [frameOf(arrival, label, packet)] });
    const delivered = Object.values(out).reduce((sum, list) => sum + list.length, 0);
    const reasons = Object.entries(drops).map(([reason, n]) => `${reason} ${String(n)}`);
    found[arrival.name] = delivered === 1 && reasons.length === 0 ? 'accepted' : reasons.join(', ');
    if (delivered > 0) expect(reasons).toEqual([]);
  }
  return found;
}

/** Policy-model 3 and 4 as the model says it, apart from the worker's code. */
function model(set: AcceptSet, arrival: Arrival): Verdict {
  if (arrival.protection === 'clear') {
    const wanted = arrival.clear === 'mpls' ? ['mpls', 'mpls-own-sp'] : [arrival.clear];
    if (set.clear.some((clear) => wanted.includes(clear))) return 'accepted';
    const unprotected = set.clear.filter((clear) => clear !== 'mpls-own-sp');
    if (unprotected.length === 0) return 'label_protected 1';
    const otherEncapsulation = arrival.clear === 'gre' ? 'ip' : 'gre';
    const tunnelled = arrival.clear !== 'mpls' && set.clear.includes(otherEncapsulation);
    return tunnelled ? 'label_wrong_encap 1' : 'label_wrong_protection 1';
  }
  const { protection, encapsulation, sp } = arrival;
  const mine = set.secured.filter(({ sps }) => sps.includes(sp));
  const same = mine.filter((row) => row.protection === protection);
  if (same.some((row) => row.encapsulation === encapsulation)) return 'accepted';
  if (same.length > 0) return 'label_wrong_encap 1';
  return mine.length > 0 ? 'label_wrong_protection 1' : 'label_wrong_sp 1';
}

const secured = (
  protection: 'encrypt' | 'authenticate',
  encapsulations: readonly Encapsulation[],
  sps: readonly number[],
): AcceptSet['secured'] =>
  encapsulations.map((encapsulation) => ({ protection, encapsulation, sps }));

const BOTH = ENCAPSULATIONS;
/** No class of a real export rule: it shows what the other of label and route stops. */
const EVERYTHING: AcceptSet = {
  secured: [...secured('encrypt', BOTH, [1, 2]), ...secured('authenticate', BOTH, [1, 2])],
  clear: ['gre', 'ip', 'mpls'],
};
/** Export classes as export rules make them, and some that only a mistake would. */
const CLASSES: Readonly<Record<string, AcceptSet>> = {
  'encrypt, own SP': ENCRYPTED,
  'encrypt, GRE alone': { secured: secured('encrypt', ['gre'], [1]), clear: [] },
  'encrypt, IP alone': { secured: secured('encrypt', ['ip'], [1]), clear: [] },
  'encrypt, the other SP alone': { secured: secured('encrypt', BOTH, [2]), clear: [] },
  'encrypt, both SPs': { secured: secured('encrypt', BOTH, [1, 2]), clear: [] },
  'authenticate, own SP': { secured: secured('authenticate', BOTH, [1]), clear: [] },
  'encrypt from the other SP, authenticate from the own': {
    secured: [...secured('encrypt', BOTH, [2]), ...secured('authenticate', BOTH, [1])],
    clear: [],
  },
  'either protection': {
    secured: [...secured('encrypt', BOTH, [1]), ...secured('authenticate', BOTH, [1])],
    clear: [],
  },
  // unprotected: an ingress may use IPsec unasked (P4)
  'plain MPLS, or IPsec unasked': {
    secured: [...secured('encrypt', BOTH, [1]), ...secured('authenticate', BOTH, [1])],
    clear: ['mpls'],
  },
  'tunnel: MPLS-in-GRE': { secured: secured('encrypt', BOTH, [1]), clear: ['gre'] },
  'tunnel: MPLS-in-IP': { secured: secured('encrypt', BOTH, [1]), clear: ['ip'] },
  'case ii: encrypt from others, plain MPLS from the own SP': {
    secured: secured('encrypt', BOTH, [1, 2]),
    clear: ['mpls-own-sp'],
  },
  everything: ANY,
  nothing: { secured: [], clear: [] },
};

describe('1, 3, 4: a label accepts the arrivals of its class and no other', () => {
  it.each(Object.entries(CLASSES))('%s', async (_, set) => {
    const label = pe.label('vrf', pe.vrfs.a, set);
    const want = Object.fromEntries(ARRIVALS.map((one) => [one.name, model(set, one)]));
    expect(await verdicts(label)).toEqual(want);
    // the same where the label leads to a CE's next hop without a lookup
    const direct = pe.label('nexthop', pe.adjacency('ce', MAC.a, 4), set);
    expect(await verdicts(direct)).toEqual(want);
  });
});

describe('2: the route found has its own class', () => {
  const address = (): string => `198.51.100.${String(pe.newLabel() % 200)}`;
  const behind = (set: AcceptSet): string => {
    const host = address();
    pe.route('a', host, pe.adjacency('ce', MAC.a, 4), { accept: set });
    return host;
  };
  const throughAny = async (host: string): Promise<Record<string, Verdict>> =>
    verdicts(pe.label('vrf', pe.vrfs.a, EVERYTHING), fromThere(host));
  it.each(Object.entries(CLASSES))(
    'a route of class “%s” behind a label that takes all',
    async (_, set) => {
      const want = ARRIVALS.map((one) => {
        const accepted = model(set, one) === 'accepted';
        return [one.name, accepted ? 'accepted' : 'route_not_exported_this_way 1'];
      });
      expect(await throughAny(behind(set))).toEqual(Object.fromEntries(want));
    },
  );

  it('is the longest match’s, not that of the prefix around it', async () => {
    const host = behind(ENCRYPTED);
    const network = host.replace(/\d+$/, '0');
    pe.route('a', network, pe.adjacency('ce', MAC.a, 4), { accept: EVERYTHING, length: 24 });
    const plain = await throughAny(host);
    expect(plain['plain MPLS']).toBe('route_not_exported_this_way 1');
    pe.route('a', network, pe.nexthop(), { length: 24 });
  });

  it('holds for addresses of the PE itself, and for discard routes', async () => {
    const own = address();
    const receive = { kind: 'receive', interface: pe.interfaces.ce, vrf: pe.vrfs.a } as const;
    pe.route('a', own, pe.nexthop(receive));
    const discard = address();
    const drop = {
      kind: 'drop',
      reason: 'blackhole',
      icmpUnreachable: false,
      vrf: pe.vrfs.a,
    } as const;
    pe.route('a', discard, pe.nexthop(drop));
    for (const host of [own, discard]) {
      const all = new Set(Object.values(await throughAny(host)));
      expect([...all]).toEqual(['route_not_exported_this_way 1']);
    }
  });

  it('a route by another tunnel is exported to nobody: no PE relays for a rogue', async () => {
    const host = address();
    const sa = await pe.sa('out');
    const tunnel = pe.tunnel({ encapsulation: 'gre', family: 4, sa });
    pe.route('a', host, tunnel, { label: 77, accept: EVERYTHING });
    const all = new Set(Object.values(await throughAny(host)));
    expect([...all]).toEqual(['route_not_exported_this_way 1']);
    expect(pe.saState('out', sa).packets).toBe(0n);
    const label = pe.label('nexthop', tunnel, EVERYTHING);
    const direct = new Set(Object.values(await verdicts(label)));
    expect([...direct]).toEqual(['route_not_exported_this_way 1']);
  });

  it('another VRF’s label never reaches this VRF', async () => {
    const host = behind(EVERYTHING);
    const other = pe.label('vrf', pe.vrfs.b, EVERYTHING);
    const { out, drops } = await pe.run({
      core: [frameOf(ENCRYPTED_GRE, other, fromThere(host))],
    });
    expect([out, drops]).toMatchObject([{}, { no_route: 1 }]);
  });
});

describe('4: clear encapsulations are taken only where the interface says so', () => {
  const packet = fromThere();
  const send = async (frame: Buffer): Promise<Record<string, number>> => {
    const { out, drops } = await pe.run({ core: [frame] });
    if (Object.keys(drops).length > 0) expect(out).toEqual({});
    return drops;
  };
  const clear = (
    encapsulation: Encapsulation,
    family: Family,
    label: number,
    vlan?: number,
  ): Buffer =>
    tunnelFrame({
      ...{ encapsulation, family, direction: 'in', label, packet },
      ...(vlan === undefined ? {} : { vlan }),
    });

  it.each(FAMILIES)('MPLS-in-GRE and MPLS-in-IP over IPv%i', async (family) => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    expect(await send(clear('gre', family, label))).toEqual({ gre_clear: 1 });
    expect(await send(clear('ip', family, label))).toEqual({ mpls_in_ip_clear: 1 });
    expect(await send(clear('gre', family, label, 20))).toEqual({});
    expect(await send(clear('ip', family, label, 20))).toEqual({});
    pe.setInterface('open', {
      acceptGre: true,
      acceptIp: false,
      mplsOwnSp: false,
      mplsOtherSp: false,
    });
    expect(await send(clear('gre', family, label, 20))).toEqual({});
    expect(await send(clear('ip', family, label, 20))).toEqual({ mpls_in_ip_clear: 1 });
    pe.setInterface('open', {
      acceptGre: false,
      acceptIp: true,
      mplsOwnSp: false,
      mplsOtherSp: false,
    });
    expect(await send(clear('gre', family, label, 20))).toEqual({ gre_clear: 1 });
    expect(await send(clear('ip', family, label, 20))).toEqual({});
    pe.setInterface('open', { acceptGre: true, acceptIp: true, mplsOwnSp: true });
  });

  it('plain MPLS on a core interface of another SP, and on a CE interface', async () => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    const stack = Buffer.concat([labelEntry(label), packet]);
    expect(await send(mplsFrame(stack))).toEqual({ mpls_not_accepted: 1 });
    expect(await send(mplsFrame(stack, 20))).toEqual({});
    const frame = mplsFrame(stack);
    frame.set(Buffer.from(MAC.peCe.replaceAll(':', ''), 'hex'));
    for (const setting of [false, true]) {
      // a flag on a CE interface changes nothing
      pe.setInterface('ce', { mplsOwnSp: setting });
      const { out, drops } = await pe.run({ ce: [frame] });
      expect([out, drops]).toEqual([{}, { mpls_not_accepted: 1 }]);
    }
    pe.setInterface('ce', { mplsOwnSp: false, mplsOtherSp: false });
  });

  it('addressed to others, MPLS-in-GRE is not taken even there', async () => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    const inside = carried({ encapsulation: 'gre', label, packet });
    const outer = { direction: 'in', family: 4, protocol: PROTOCOL.gre, vlan: 20 } as const;
    const transit = coreFrame(inside, { ...outer, destination: '192.0.2.99' });
    expect(await send(transit)).toEqual({ core_transit: 1 });
    expect(await send(coreFrame(inside, outer))).toEqual({});
  });

  it('by a fragment that says it is the whole nothing is taken', async () => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    const whole = carried({ encapsulation: 'gre', label, packet });
    const inside = whole.subarray(0, whole.length - (whole.length % 8));
    const outer = { direction: 'in', family: 4, protocol: PROTOCOL.gre, vlan: 20 } as const;
    const received = async (fragment: Uint8Array): Promise<void> => {
      const { out, drops } = await pe.run({ core: [fragment] });
      expect([out, drops]).toEqual([{}, {}]);
    };
    await received(coreFrame(inside, { ...outer, fragment: 0x2000 }));
    const sa = sas.get(ENCRYPTED_GRE.name);
    const sealed = sa === undefined ? inside : sealEsp(sa.esp, 50_000, inside, PROTOCOL.gre);
    const esp = sealed.subarray(0, sealed.length - (sealed.length % 8));
    await received(coreFrame(esp, { ...outer, protocol: PROTOCOL.esp, fragment: 0x2000 }));
    // Fragment header: next header, reserved, offset 0 and M, identification
    const header = Buffer.from([PROTOCOL.gre, 0, 0, 1, 0, 0, 0, 9]);
    await received(
      coreFrame(Buffer.concat([header, inside]), { ...outer, family: 6, protocol: 44 }),
    );
    // and all three are given up
    await eventually(
      'three fragments given up',
      () => {
        const row = pe.harness.tables.drops().find(({ reason }) => reason === 'reassembly_timeout');
        return row?.packets === 3n ? true : undefined;
      },
      10_000,
    );
  });
});

describe('5: one label, at the bottom of its stack', () => {
  const out = async (
    make: (label: number) => readonly Uint8Array[],
    spTable = 1,
  ): Promise<Record<string, number>> => {
    const sa = await pe.sa('in', { spTable });
    const label = pe.label('vrf', pe.vrfs.a, { ...ANY, secured: secured('encrypt', BOTH, [1, 2]) });
    const payload = gre(Buffer.concat([...make(label), fromThere()]));
    const esp = sealEsp(sa.esp, 1, payload, PROTOCOL.gre);
    const frame = coreFrame(esp, { direction: 'in', family: 4, protocol: PROTOCOL.esp });
    return (await pe.run({ core: [frame] })).drops;
  };
  const up = { bottom: false } as const;

  it.each([1, 2])('out of an SA of SP %i', async (sp) => {
    expect(await out((label) => [labelEntry(label)], sp)).toEqual({});
    expect(await out((label) => [labelEntry(0, up), labelEntry(label)], sp)).toEqual({});
    const stack = { label_stack: 1 };
    expect(await out((label) => [labelEntry(label, up), labelEntry(label)], sp)).toEqual(stack);
    expect(await out((label) => [labelEntry(label, up)], sp)).not.toEqual({});
    expect(
      await out((label) => [labelEntry(0, up), labelEntry(0, up), labelEntry(label)], sp),
    ).toEqual(stack);
    expect(await out((label) => [labelEntry(label, up), labelEntry(0)], sp)).toEqual(stack);
    expect(await out(() => [labelEntry(0)], sp)).toEqual(stack);
    expect(await out(() => [labelEntry(2)], sp)).toEqual(stack);
    // router alert, and the other reserved labels
    expect(await out((label) => [labelEntry(1, up), labelEntry(label)], sp)).toEqual(stack);
    expect(await out(() => [labelEntry(1)], sp)).toEqual({ label_unknown: 1 });
    expect(await out(() => [labelEntry(15)], sp)).toEqual({ label_unknown: 1 });
    expect(await out(() => [labelEntry(0xfffff)], sp)).toEqual({ label_unknown: 1 });
  });

  it('in clear no explicit null is tolerated', async () => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    const stack = Buffer.concat([labelEntry(0, up), labelEntry(label), fromThere()]);
    const inGre = coreFrame(gre(stack), {
      direction: 'in',
      family: 4,
      protocol: PROTOCOL.gre,
      vlan: 20,
    });
    expect((await pe.run({ core: [inGre] })).drops).toEqual({ label_stack: 1 });
  });

  it('a freed label means nothing at once', async () => {
    const label = pe.label('vrf', pe.vrfs.a, ANY);
    expect((await verdicts(label))['plain MPLS']).toBe('accepted');
    pe.harness.tables.clearLabel(label);
    expect([...new Set(Object.values(await verdicts(label)))]).toEqual(['label_unknown 1']);
  });
});
