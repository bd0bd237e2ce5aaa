// SPDX-License-Identifier: Apache-2.0
/**
 * What the label inside an SPI would save (requirement P16, docs/vpn-spi.md): bytes per packet, from packets that Scapy
 * has built, sealed and opened both ways. Sizes are those of the customer's IP packet; four in a row show what padding
 * makes of it. The product never sends such packets.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { tunnelMtu } from '../src/forwarding/mtu.js';
import { espOverhead } from '../src/lib/esp-suites.js';
import { machine, round, type Result } from './result.js';

const SCRIPT = fileURLToPath(new URL('./vpn_spi.py', import.meta.url));
const SIZES = [40, 41, 42, 43, 64, 128, 256, 512, 576, 1024, 1280, 1400];

interface Built {
  readonly encapsulation: 'gre' | 'ip';
  readonly family: 4 | 6;
  readonly inner: number;
  readonly ours: number;
  readonly vpnSpi: number;
}

const GCM = espOverhead('aes-gcm-128', false);

/** Throws when our packets are not as long as the product reckons with. */
function checkLength({ family, encapsulation, inner, ours }: Built): void {
  const fits = tunnelMtu(ours, family, encapsulation, GCM);
  const one = tunnelMtu(ours - 1, family, encapsulation, GCM);
  if (fits >= inner && one < inner) return;
  throw new Error(`an inner packet of ${inner} bytes makes ${ours}: not what tunnelMtu says`);
}

export function vpnSpi(): Result {
  const argv = ['-B', SCRIPT, ...SIZES.map(String)];
  const built = JSON.parse(
    execFileSync('/usr/bin/python3', argv, { encoding: 'utf8', maxBuffer: 1 << 24 }),
  ) as readonly Built[];
  const rows = built.map((each) => {
    checkLength(each);
    const { encapsulation, family, inner, ours, vpnSpi: reference } = each;
    const ratio = round(ours / reference, 3);
    return {
      case: `MPLS-in-${encapsulation === 'gre' ? 'GRE' : 'IP'} over IPv${String(family)}, ${String(inner)} bytes`,
      ...{ ours, unit: 'bytes', reference: 'VPN-SPI', referenceValue: reference, ratio },
      ratioRange: [ratio, ratio] as const,
      saved: ours - reference,
    };
  });
  return { bench: 'vpn-spi', machine: machine(), runs: 1, rows };
}
