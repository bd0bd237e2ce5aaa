// SPDX-License-Identifier: Apache-2.0
/** Certificates, what the PEs agreed on by IKE, rekeys under traffic, and a PE that nobody vouches for. */
import { mkdirSync, readFileSync } from 'node:fs';
import { eventually, type Lab } from '../lib/lab.js';
import { issue, makeCa } from '../../test/lib/pki.js';
import type { TsharkSa } from '../../test/lib/tshark.js';
import type { Checks } from './checks.js';
import { configFile, sealane, show, type PeProcess } from './pe.js';
import { PES, PKI, SITES, TRANSIT } from './topology.js';
import { ping } from './traffic.js';

/** An authority for each provider, and one that nobody trusts; certificates name the tunnel addresses. */
export function makeCertificates(): void {
  mkdirSync(PKI, { recursive: true, mode: 0o700 });
  const example = makeCa(PKI, 'example');
  for (const [name, { tunnel4, tunnel6 }] of Object.entries(PES)) {
    issue(example, { name, ip: [tunnel4, tunnel6] });
  }
  for (const name of ['transit', 'forged']) {
    issue(makeCa(PKI, name), { name: 'transit-pe', ip: [TRANSIT.tunnel4] });
  }
}

/** An ESP SA whose keys a PE wrote down for Wireshark. */
export interface KeyedSa extends TsharkSa {
  readonly cipher: 'aes-gcm';
}

/** Those of encrypting SAs, the newest last. */
export function writtenKeys(folder: string): KeyedSa[] {
  return readFileSync(`${folder}/esp_sa`, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, source = '', destination = '', spi = '', , key = ''] = line
        .split(',')
        .map((field) => field.replaceAll('"', ''));
      const octets = Buffer.from(key.slice(2), 'hex');
      return { source, destination, spi: Number(spi), cipher: 'aes-gcm', key: octets };
    });
}

/** The SA that PE1 sends VPN A's packets with now, and how far PE2 has received on it. */
export async function spiOfA(
  pes: Readonly<Record<'pe1' | 'pe2', PeProcess>>,
): Promise<{ spi: number; sequence: number }> {
  const tunnels = await show(pes.pe1, 'tunnels');
  const tunnel = tunnels.find(
    ({ protection, remote }) => protection === 'encrypt' && remote === PES.pe2.tunnel4,
  );
  const out = (await show(pes.pe1, 'sas')).find(({ name }) => name === tunnel?.['sa']);
  const row = (await show(pes.pe2, 'sas')).find(
    ({ direction, spi }) => direction === 'in' && spi === out?.['spi'],
  );
  return { spi: Number(row?.['spi'] ?? 0), sequence: Number(row?.['sequence'] ?? 0) };
}

/** What was agreed on; the words go into the report. */
export async function agreed(checks: Checks, { pe1 }: { readonly pe1: PeProcess }): Promise<void> {
  // Both ends begin at once: one of the two that may come of it goes.
  const [sas = [], children = []] = await eventually(
    'one IKE SA and one child SA for each family',
    async () => {
      const all = [await show(pe1, 'ike'), await show(pe1, 'ike children')];
      return all.every((rows) => rows.length === 2) ? all : undefined;
    },
    20_000,
  ).catch(async () => [await show(pe1, 'ike'), await show(pe1, 'ike children')]);
  const good =
    sas.length === 2 &&
    sas.every(
      (sa) =>
        sa['state'] === 'established' &&
        sa['authentication'] === 'ecdsa' &&
        sa['keyExchanges'] === 'x25519 mlkem768',
    ) &&
    children.length === 2;
  const words = [
    ...sas.map(
      (sa) =>
        `${String(sa['remote'])}: ${String(sa['suite'])}, ${String(sa['keyExchanges'])}, ${String(sa['identity'])}`,
    ),
    ...children.map((child) => `${String(child['service'])}: ${String(child['suite'])}`),
  ];
  checks.add('ike-agreed', 'P9', good, words.join('; '));
}

const REKEYS = 6;

/** Child SAs and IKE SAs are replaced from both ends while packets cross. */
export async function rekeys(
  lab: Lab,
  checks: Checks,
  pes: Readonly<Record<'pe1' | 'pe2', PeProcess>>,
): Promise<void> {
  const before = (await spiOfA(pes)).spi;
  const packets = 1500;
  const flood = ping(lab, SITES.a1, SITES.a2.address4, packets, ['-i', '0.002']);
  for (let i = 0; i < REKEYS; i++) {
    const pe = i % 2 === 0 ? pes.pe1 : pes.pe2;
    await sealane(pe, 'ike', 'rekey', '--all', i % 3 === 2 ? '--ike' : '--child');
  }
  const { received } = await flood;
  const after = (await spiOfA(pes)).spi;
  checks.add(
    'ike-rekey',
    'P9',
    received === packets && after !== before,
    `${String(REKEYS)} rekeys by both ends: ${String(received)}/${String(packets)} answered, ` +
      `SPI 0x${before.toString(16)} -> 0x${after.toString(16)}`,
  );
}

/** Until PE2 has refused it; then with the right certificate, until it has its SA. */
export async function rogueComesIn(
  checks: Checks,
  transit: PeProcess,
  pe2: PeProcess,
): Promise<void> {
  const state = async (): Promise<string> => String((await show(transit, 'tunnels'))[0]?.['state']);
  const untrusted = async (): Promise<number> => {
    const rows = await show(pe2, 'ike counters');
    return Number(rows.find((row) => row['name'] === 'cert_untrusted')?.['count'] ?? 0);
  };
  const counted = await eventually(
    'PE2 to refuse a certificate that nobody vouches for',
    async () => ((await state()) === 'failed' ? await untrusted() : undefined),
    60_000,
  ).catch(() => 0);
  const ofTransit = (await show(pe2, 'sas')).filter((sa) => sa['remote'] === TRANSIT.tunnel4);
  checks.add(
    'ike-wrong-ca',
    'P14',
    counted > 0 && ofTransit.length === 0,
    `a PE with the certificate of another authority: cert_untrusted ${String(counted)}, ` +
      `${String(ofTransit.length)} SAs`,
  );
  await sealane(transit, 'reload', configFile('transit'));
  await eventually(
    'the PE of provider transit to have its SA',
    async () => {
      if ((await state()) === 'up') return true;
      await sealane(transit, 'ike', 'initiate', '--all').catch(() => undefined);
      return undefined;
    },
    60_000,
  );
}
