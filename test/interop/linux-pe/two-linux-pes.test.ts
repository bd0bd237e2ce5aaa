// SPDX-License-Identifier: Apache-2.0
/**
 * Two Linux PEs on one wire, with every encapsulation, outer family and suite side by side: a tunnel, a pair of SAs and
 * a VRF for each. It proves the peer itself; replace a guest by Sealane to test Sealane.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGmac } from './gmac.js';
import {
  bootLinuxPe,
  randomSa,
  type EspSuite,
  type LinuxPe,
  type LinuxPeConfig,
  type ManualSa,
} from './linux-pe.js';
import { dissect, makeWire, type Wire } from './wire.js';

interface Variant {
  readonly encap: 'gre' | 'ip';
  readonly outer: 4 | 6;
  /** undefined: without ESP. */
  readonly suite?: EspSuite;
  readonly esn?: boolean;
  readonly replayWindow?: number;
}

const variants: readonly Variant[] = [
  { encap: 'gre', outer: 4, suite: 'aes-gcm-128' },
  { encap: 'gre', outer: 4, suite: 'aes-gcm-256', esn: true, replayWindow: 1024 },
  { encap: 'gre', outer: 4, suite: 'aes-gmac-128' },
  { encap: 'gre', outer: 4, suite: 'aes-cbc-128-hmac-sha256' },
  { encap: 'gre', outer: 4, suite: 'null-hmac-sha256' },
  { encap: 'gre', outer: 6, suite: 'aes-gcm-128' },
  { encap: 'ip', outer: 4, suite: 'aes-gcm-128' },
  { encap: 'ip', outer: 6, suite: 'aes-gmac-256', esn: true },
  { encap: 'gre', outer: 4 },
  { encap: 'gre', outer: 6 },
  { encap: 'ip', outer: 4 },
  { encap: 'ip', outer: 6 },
];

type Side = 1 | 2;
const other = (side: Side): Side => (side === 1 ? 2 : 1);

/** What a variant has on each side; `n` tells the variants apart. */
const outerAddress = (variant: Variant, n: number, side: Side): string =>
  variant.outer === 4
    ? `192.0.2.${String(n * 4 + side)}`
    : `2001:db8::${String(n)}:${String(side)}`;
const label = (n: number, side: Side): number => 1000 * side + n;
const host4 = (side: Side, host: 1 | 2): string => `10.${String(side)}.0.${String(host)}`;
const host6 = (side: Side, host: 1 | 2): string => `fd00:${String(side)}::${String(host)}`;

const variantSas = variants.map((variant, n): readonly ManualSa[] => {
  const { suite, esn = false, replayWindow = 32 } = variant;
  if (suite === undefined) return [];
  const ends = ([1, 2] as const).map((side) => outerAddress(variant, n, side));
  const [a = '', b = ''] = ends;
  return [
    randomSa(a, b, suite, { esn, replayWindow }),
    randomSa(b, a, suite, { esn, replayWindow }),
  ];
});

function configOf(side: Side): LinuxPeConfig {
  const far = other(side);
  return {
    underlay: variants.map((variant, n) => ({
      nic: 'wan0',
      address: `${outerAddress(variant, n, side)}/${variant.outer === 4 ? '24' : '64'}`,
    })),
    sas: variantSas.flat(),
    tunnels: variants.map((variant, n) => ({
      name: `t${String(n)}`,
      encap: variant.encap,
      protection: variant.suite === undefined ? 'clear' : 'esp',
      local: outerAddress(variant, n, side),
      remote: outerAddress(variant, n, far),
      inner: [
        {
          local: `10.255.${String(n)}.${String(side)}`,
          nextHop: `10.255.${String(n)}.${String(far)}`,
        },
        {
          local: `fd00:ff:${String(n)}::${String(side)}`,
          nextHop: `fd00:ff:${String(n)}::${String(far)}`,
        },
      ],
    })),
    vrfs: variants.map((_, n) => ({
      name: `vrf${String(n)}`,
      table: 1000 + n,
      customer: [
        { pe: `${host4(side, 1)}/24`, host: `${host4(side, 2)}/24` },
        { pe: `${host6(side, 1)}/64`, host: `${host6(side, 2)}/64` },
      ],
      labelsIn: [label(n, side)],
      routes: [
        { prefix: `10.${String(far)}.0.0/24`, label: label(n, far), tunnel: `t${String(n)}` },
        { prefix: `fd00:${String(far)}::/64`, label: label(n, far), tunnel: `t${String(n)}` },
      ],
    })),
  };
}

let wire: Wire | undefined;
const guests: LinuxPe[] = [];

function lab(): { wire: Wire; a: LinuxPe; b: LinuxPe } {
  const [a, b] = guests;
  if (wire === undefined || a === undefined || b === undefined) throw new Error('not booted');
  return { wire, a, b };
}

beforeAll(async () => {
  wire = await makeWire('slpe');
  const boots = ([1, 2] as const).map(async (side) => {
    const end = side === 1 ? wire?.a : wire?.b;
    if (end === undefined) throw new Error('no wire');
    const { netns, nic } = end;
    guests[side - 1] = await bootLinuxPe({
      name: netns,
      netns,
      nics: [nic],
      config: configOf(side),
    });
  });
  await Promise.all(boots);
}, 300_000);

afterAll(async () => {
  await Promise.all(guests.map(async (guest) => guest.stop()));
  await wire?.remove();
});

const customer = (n: number, command: string): string =>
  `ip netns exec ce-vrf${String(n)} ${command}`;

const ping = (n: number, address: string, count = 3): string =>
  customer(n, `ping -q -c ${String(count)} -i 0.2 -W 1 ${address}`);

/** Pings both families and sends 100,000 octets by TCP from a's customer to b's. */
async function exchange(n: number): Promise<void> {
  const { a, b } = lab();
  await a.exec(`${ping(n, host4(2, 2))} && ${ping(n, host6(2, 2))}`);
  const got = `/tmp/got${String(n)}`;
  const listening = `grep -q ' 00000000:1389 .* 0A ' /proc/net/tcp`;
  await b.exec(
    `(${customer(n, 'nc.openbsd -l 5001')} >${got}.part; mv ${got}.part ${got}) </dev/null >/dev/null 2>&1 &
     until ${customer(n, `sh -c "${listening}"`)}; do sleep 0.1; done`,
  );
  const sent = await a.exec(
    `head -c 100000 /dev/urandom >/tmp/sent
     ${customer(n, `nc.openbsd -N -w 10 ${host4(2, 2)} 5001`)} </tmp/sent; md5sum </tmp/sent`,
  );
  expect(await b.exec(`until [ -e ${got} ]; do sleep 0.1; done; md5sum <${got}`)).toBe(sent);
}

type Row = Record<'frame.len' | 'frame.protocols' | 'mpls.label' | 'esp.spi', string>;

/** What crossed the wire but for ARP and neighbour discovery outside of tunnels. */
async function traffic(file: string, sas: readonly ManualSa[]): Promise<Row[]> {
  const rows = await dissect(file, ['frame.len', 'frame.protocols', 'mpls.label', 'esp.spi'], {
    sas,
  });
  return rows.filter(
    (row) => !/^eth:ethertype:(arp|ipv6(:ipv6.hopopts)?:icmpv6)/.test(row['frame.protocols']),
  );
}

const spiOf = (sa: ManualSa): string => `0x${sa.spi.toString(16).padStart(8, '0')}`;

/** GMAC SAs carry the encapsulation and this side's label in each packet, and all of them verify. */
async function expectGmac(file: string, n: number, packets: number): Promise<void> {
  const payloads = await Promise.all((variantSas[n] ?? []).map(async (sa) => openGmac(file, sa)));
  expect(payloads.flat().length).toBe(packets);
  for (const [i, side] of ([2, 1] as const).entries()) {
    const entry = ((label(n, side) << 4) | 1).toString(16).padStart(6, '0');
    const start = `${variants[n]?.encap === 'gre' ? '00008847' : ''}${entry}`;
    const starts = (payloads[i] ?? []).map((payload) =>
      payload.toString('hex').slice(0, start.length),
    );
    expect(new Set(starts)).toEqual(new Set([start]));
  }
}

const title = ({ encap, outer, suite, esn }: Variant): string =>
  `MPLS-in-${encap.toUpperCase()} over IPv${String(outer)}, ${suite ?? 'clear'}${esn === true ? ', ESN' : ''}`;

describe('two Linux PEs', () => {
  const cases = variants.map((variant, n) => ({ title: title(variant), variant, n }));
  test.each(cases)('$title', async ({ variant, n }) => {
    const capture = await lab().wire.capture();
    await exchange(n);
    const file = await capture.stop();
    const sas = variantSas[n] ?? [];
    const rows = await traffic(file, sas);
    expect(rows.length).toBeGreaterThan(80);
    expect(Math.max(...rows.map((row) => Number(row['frame.len'])))).toBeLessThanOrEqual(1514);

    const esp = variant.suite === undefined ? '' : 'esp:';
    const gmac = variant.suite?.startsWith('aes-gmac') === true;
    // What tshark takes the random payload of a TCP segment for does not matter.
    const opened = `${variant.encap === 'gre' ? 'gre:' : ''}mpls:ip(v6)?:((icmp|icmpv6)(:data)?$|tcp(:|$))`;
    const shape = new RegExp(
      `^eth:ethertype:${variant.outer === 4 ? 'ip' : 'ipv6'}:${gmac ? 'esp$' : esp + opened}`,
    );
    expect(
      rows.map((row) => row['frame.protocols']).filter((protocols) => !shape.test(protocols)),
    ).toEqual([]);
    if (esp !== '') {
      expect(new Set(rows.map((row) => row['esp.spi']))).toEqual(new Set(sas.map(spiOf)));
    }
    if (gmac) await expectGmac(file, n, rows.length);
    else {
      const labels = [label(n, 1), label(n, 2)].map(String);
      expect(new Set(rows.map((row) => row['mpls.label']))).toEqual(new Set(labels));
    }
  });

  let current = variantSas[0] ?? [];
  /** Fresh SAs for variant 0 on both sides, in place of the ones before: [from a, from b]. */
  async function rekey(): Promise<readonly [ManualSa, ManualSa]> {
    const { a, b } = lab();
    const old = current;
    const [out, back] = old.map((sa) => randomSa(sa.src, sa.dst, sa.suite));
    if (out === undefined || back === undefined) throw new Error('no SAs');
    current = [out, back];
    await Promise.all([a, b].map(async (guest) => guest.addSas(current)));
    await Promise.all([a, b].map(async (guest) => guest.deleteSas(old)));
    return [out, back];
  }
  /** By how much the guest's drop counters rise meanwhile. */
  async function drops(guest: LinuxPe, act: () => Promise<void>): Promise<Record<string, number>> {
    const before = await guest.ipsecDrops();
    await act();
    const after = Object.entries(await guest.ipsecDrops());
    const rises = after.map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
    return Object.fromEntries(rises.filter(([, rise]) => rise !== 0));
  }
  /** What is on the wire during three pings from a's customer that stay without answer. */
  async function unanswered(): Promise<Row[]> {
    const { a, wire: between } = lab();
    const capture = await between.capture();
    expect((await a.run(ping(0, host4(2, 2)))).status).toBe(1);
    return traffic(await capture.stop(), []);
  }

  test('a rekey: new SAs take over, the old ones can go', async () => {
    const fresh = await rekey();
    const capture = await lab().wire.capture();
    await lab().a.exec(ping(0, host4(2, 2)));
    const rows = await traffic(await capture.stop(), fresh);
    expect(rows.length).toBe(6);
    expect(new Set(rows.map((row) => row['esp.spi']))).toEqual(new Set(fresh.map(spiOf)));
  });

  test('without an outbound SA nothing leaves', async () => {
    const { a } = lab();
    const [out] = await rekey();
    await a.deleteSas([out]);
    const rises = await drops(a, async () => {
      expect(await unanswered()).toEqual([]);
    });
    expect(rises).toEqual({ XfrmOutNoStates: 3 });
    await a.addSas([out]);
  });

  test('what arrives in clear is dropped where an SA is required', async () => {
    const { a, b } = lab();
    const [, { src, dst }] = await rekey();
    const policy = `ip xfrm policy update src ${src} dst ${dst} proto gre dir out priority 1000`;
    await b.exec(`${policy} action allow`);
    const rises = await drops(a, async () => {
      const rows = await unanswered();
      expect(rows.filter((row) => row['mpls.label'] === String(label(0, 1))).length).toBe(3);
    });
    expect(rises).toEqual({ XfrmInTmplMismatch: 3 });
    await b.exec(`${policy} tmpl src ${src} dst ${dst} proto esp mode transport`);
  });

  test('another key fails the integrity check', async () => {
    const { a, b } = lab();
    const [out] = await rekey();
    await a.deleteSas([out]);
    await a.addSas([randomSa(out.src, out.dst, out.suite, { spi: out.spi })]);
    const rises = await drops(b, async () => {
      expect((await unanswered()).length).toBe(3);
    });
    expect(rises).toEqual({ XfrmInStateProtoError: 3 });
  });

  test('sequence numbers that were seen are replays', async () => {
    const { a, b } = lab();
    const [out] = await rekey();
    await a.exec(ping(0, host4(2, 2)));
    await a.deleteSas([out]);
    await a.addSas([out]); // starts again at 1
    const rises = await drops(b, async () => {
      expect((await unanswered()).length).toBe(3);
    });
    expect(rises).toEqual({ XfrmInStateSeqError: 3 });
    await rekey();
    await a.exec(ping(0, host4(2, 2)));
  });
});
