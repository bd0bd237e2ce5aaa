// SPDX-License-Identifier: Apache-2.0
/** What the PEs know of their SAs: keys by --debug-keys, SPIs by `sealane show sas`. */
import { existsSync, readFileSync } from 'node:fs';
import type { TsharkSa } from '../../test/lib/tshark.js';
import type { Checks } from './checks.js';
import { eventually } from '../lib/lab.js';
import { sealane, show, type PeProcess, type Pes } from './pe.js';
import { KEYS, NODES, PES, type PeName } from './topology.js';

/** An ESP SA that encrypts. */
export interface KeyedSa extends TsharkSa {
  readonly cipher: 'aes-gcm';
}

/** Those whose keys a PE wrote down for Wireshark, the newest last. */
export function writtenKeys(name: string): KeyedSa[] {
  const file = `${KEYS}/${name}/esp_sa`;
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
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

/** Of every SA that encrypts and that a PE has or has had. */
export function knownSas(): KeyedSa[] {
  const all = PES.flatMap(writtenKeys);
  return [...new Map(all.map((sa) => [`${sa.source} ${String(sa.spi)}`, sa])).values()];
}

/** SA from one PE to another, as the receiver has it. */
export async function saBetween(
  pes: Pes,
  from: PeName,
  to: PeName,
  protection: 'encrypt' | 'authenticate' = 'encrypt',
): Promise<{ spi: number; sequence: number }> {
  const remote = NODES[to].loopback;
  const sent = (await show(pes[from], 'sas')).filter(
    (sa) => sa.direction === 'out' && sa.remote === remote && sa.protection === protection,
  );
  const rows = (await show(pes[to], 'sas')).filter(
    (sa) => sa.direction === 'in' && sent.some(({ spi }) => spi === sa.spi),
  );
  // While one replaces another there may be two: the one that packets come on.
  const row = rows.sort((a, b) => Number(b.sequence) - Number(a.sequence))[0];
  return { spi: Number(row?.spi ?? 0), sequence: Number(row?.sequence ?? 0) };
}

/** What was agreed on. */
export async function agreed(checks: Checks, pes: Pes): Promise<void> {
  // Both ends may begin at once: one of the two that may come of it goes.
  const ask = async () =>
    [await show(pes.pe1, 'ike sas'), await show(pes.pe1, 'ike children')] as const;
  const enough = ([sas, children]: Awaited<ReturnType<typeof ask>>): boolean =>
    sas.length === 2 && children.filter(({ service }) => service !== 'bgp').length === 4;
  const [sas, children] = await eventually(
    'one IKE SA with each PE, one child SA for each service',
    async () => {
      const all = await ask();
      return enough(all) ? all : undefined;
    },
    20_000,
  ).catch(ask);
  const good =
    enough([sas, children]) &&
    sas.every(
      (sa) =>
        sa.state === 'established' &&
        sa.authentication === 'ecdsa' &&
        sa.keyExchanges === 'x25519 mlkem768',
    );
  const words = [
    ...sas.map((sa) => `${sa.remote}: ${sa.suite}, ${sa.keyExchanges}, ${sa.identity}`),
    ...children.map((child) => `${child.remote} ${child.service}: ${child.suite}`),
  ];
  checks.add('ike-agreed', 'P9', good, words.join('; '));
}

/** Waits until PE2 has refused a certificate that nobody vouches for; `rogue` has one. */
export async function refused(checks: Checks, rogue: PeProcess, pe2: PeProcess): Promise<void> {
  const counted = await eventually(
    'PE2 to refuse a certificate that nobody vouches for',
    async () => {
      await sealane(rogue, 'ike', 'initiate', '--all').catch(() => undefined);
      const rows = await show(pe2, 'ike counters');
      const count = Number(rows.find(({ name }) => name === 'cert_untrusted')?.count ?? 0);
      return count > 0 ? count : undefined;
    },
    60_000,
  ).catch(() => 0);
  const remote = NODES['rogue-s'].loopback;
  const sas = (await show(pe2, 'sas')).filter((sa) => sa.remote === remote);
  checks.add(
    'ike-wrong-ca',
    'P14',
    counted > 0 && sas.length === 0,
    `a PE with the certificate of another authority: cert_untrusted ${String(counted)}, ${String(sas.length)} SAs`,
  );
}

/** Waits until a rogue with a good certificate has its SA with PE2; what it sends on. */
export async function rogueSa(rogue: PeProcess): Promise<KeyedSa> {
  return eventually(
    `${rogue.name} to have its SA`,
    async () => {
      const tunnels = await show(rogue, 'tunnels').catch(() => []);
      const own = NODES[rogue.name].loopback;
      const sa = writtenKeys(rogue.name).findLast(({ source }) => source === own);
      if (tunnels.some(({ state }) => state === 'up') && sa !== undefined) return sa;
      await sealane(rogue, 'ike', 'initiate', '--all').catch(() => undefined);
      return undefined;
    },
    60_000,
  );
}
