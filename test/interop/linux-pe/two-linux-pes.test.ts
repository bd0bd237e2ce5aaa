/**
 * Two Linux PEs on one wire, with every encapsulation, outer family and suite side by side: a tunnel, a pair of SAs and
 * a VRF for each. It proves the peer itself; replace a guest by Sealane to test Sealane.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGmac } from './gmac.js';
import type { EspSuite, LinuxPe, LinuxPeConfig, ManualSa } from './linux-pe.js';
import { bootLinuxPe, randomSa } from './linux-pe.js';
import type { Capture, Wire } from './wire.js';
import { dissect, makeWire } from './wire.js';

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

let wire: Wire;
let a: LinuxPe;
let b: LinuxPe;

beforeAll(async () => {
  wire = await makeWire('slpe');
  const boot = (side: Side): Promise<LinuxPe> => {
    const end = side === 1 ? wire.a : wire.b;
    return bootLinuxPe({
      name: end.netns,
      netns: end.netns,
      nics: [end.nic],
      config: configOf(side),
    });
  };
  [a, b] = await Promise.all([boot(1), boot(2)]);
}, 120_000);

afterAll(async () => {
  await Promise.all([a, b].map((pe: LinuxPe | undefined) => pe?.stop()));
  await (wire as Wire | undefined)?.remove();
});

const customer = (n: number, command: string): string =>
  `ip netns exec ce-vrf${String(n)} ${command}`;

/** Pings both families and sends 100,000 octets by TCP from a's customer to b's. */
async function exchange(n: number): Promise<void> {
  await a.exec(customer(n, `ping -q -c 3 -i 0.2 -W 2 ${host4(2, 2)}`));
  await a.exec(customer(n, `ping -q -c 3 -i 0.2 -W 2 ${host6(2, 2)}`));
  const listening = `grep -q ' 00000000:1389 .* 0A ' /proc/net/tcp`;
  await b.exec(
    `${customer(n, `nc.openbsd -l 5001 >/tmp/got${String(n)}`)} &
     until ${customer(n, `sh -c "${listening}"`)}; do sleep 0.1; done`,
  );
  const sent = await a.exec(
    `head -c 100000 /dev/urandom >/tmp/sent; ${customer(n, `nc.openbsd -N -w 10 ${host4(2, 2)} 5001`)} </tmp/sent
     md5sum </tmp/sent`,
  );
  expect(
    await b.exec(
      `while pgrep -x nc.openbsd >/dev/null; do sleep 0.1; done; md5sum </tmp/got${String(n)}`,
    ),
  ).toBe(sent);
}

const title = ({ encap, outer, suite, esn }: Variant): string =>
  `MPLS-in-${encap.toUpperCase()} over IPv${String(outer)}, ${suite ?? 'clear'}${esn === true ? ', ESN' : ''}`;

describe('two Linux PEs', () => {
  test.each(variants.map((variant, n) => ({ title: title(variant), variant, n })))(
    '$title',
    async ({ variant, n }) => {
      const capture: Capture = await wire.capture();
      await exchange(n);
      const file = await capture.stop();
      const sas = variantSas[n] ?? [];
      const rows = await dissect(file, ['frame.protocols', 'mpls.label', 'esp.spi'], { sas });
      const traffic = rows.filter(
        (row) => !/:(arp|icmpv6)\b/.test(row['frame.protocols'].replace(/:(esp|gre|mpls)\b.*/, '')),
      );
      expect(traffic.length).toBeGreaterThan(80);

      const ip = variant.outer === 4 ? 'ip' : 'ipv6';
      const inside = variant.encap === 'gre' ? 'gre:mpls' : 'mpls';
      if (variant.suite === undefined) {
        for (const row of traffic) {
          expect(row['frame.protocols']).toMatch(
            new RegExp(`^eth:ethertype:${ip}:${inside}:ip(v6)?:(icmp|icmpv6|tcp)`),
          );
        }
      } else {
        const spis = sas.map((sa) => `0x${sa.spi.toString(16).padStart(8, '0')}`);
        for (const row of traffic) {
          expect(row['frame.protocols']).toMatch(new RegExp(`^eth:ethertype:${ip}:esp`));
          expect(spis).toContain(row['esp.spi']);
        }
        if (variant.suite.startsWith('aes-gmac')) {
          const payloads = await Promise.all(sas.map((sa) => openGmac(file, sa)));
          expect(payloads.flat().length).toBe(traffic.length);
          for (const [i, side] of ([2, 1] as const).entries()) {
            const head = variant.encap === 'gre' ? '00008847' : '';
            const entry = ((label(n, side) << 4) | 1).toString(16).padStart(6, '0');
            for (const payload of payloads[i] ?? [])
              expect(payload.toString('hex').slice(0, head.length + 6)).toBe(head + entry);
          }
        } else {
          for (const row of traffic) {
            expect(row['frame.protocols']).toMatch(
              new RegExp(`:esp:${inside}:ip(v6)?:(icmp|icmpv6|tcp)`),
            );
          }
        }
      }
      if (variant.suite?.startsWith('aes-gmac') !== true) {
        expect(new Set(traffic.map((row) => row['mpls.label']))).toEqual(
          new Set([label(n, 1), label(n, 2)].map(String)),
        );
      }
    },
  );
});
