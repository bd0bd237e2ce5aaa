// SPDX-License-Identifier: Apache-2.0
/**
 * MRT table dumps of a running PE, as others read them:
 *
 *   peer 192.0.2.31 ---- 192.0.2.1, PE 1 with VRF A
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { encodeMessage, MESSAGE } from '../../../src/bgp/codec/message.js';
import type { Config } from '../../../src/config/types.js';
import { Host } from '../../interop/bgp/host.js';
import { bgpPaths, peConfig, startPe } from '../../interop/bgp/pe-net.js';
import { vpnUpdate } from '../../interop/bgp/reflected.js';
import { TwoPes } from '../supervisor/two-pes.js';

const PE = '192.0.2.1';
const PEER = '192.0.2.31';
const SESSION = {
  ...{ asn: 65001, timers: { connectRetry: 1, connectRetryMax: 1 } },
  families: { 'vpnv4-unicast': {}, 'ipv4-unicast': {} },
};
const BGPCTL = '/usr/sbin/bgpctl';
/** Core routes 10.40.0.0/24 and on, 10 to an UPDATE. */
const ROUTES = 200;

let net: TwoPes;
let peer: Host;
/** Seconds since 1970 before the first route was sent. */
let begun = 0;

const config = (): Config =>
  peConfig(net, 1, {
    ...{ alone: true, clear: [31] },
    bgp: {
      neighbours: { [PEER]: SESSION },
      mrt: { tables: { file: `${net.run}/%Y%m%d-%H%M%S.rib`, what: 'tables', every: 60 } },
    },
    vrfs: {
      A: {
        bgp: {
          ...{ rd: '65001:1', importTargets: ['65001:100'], exportTargets: ['65001:100'] },
          redistribute: { connected: true },
        },
      },
    },
  });

/** ORIGIN IGP, AS_PATH empty, NEXT_HOP the peer, LOCAL_PREF 100, then ten /24 (RFC 4271 §4.3, by hand). */
function coreUpdate(tens: number): Buffer {
  const attributes = '40010100' + '400200' + '400304c000021f' + '40050400000064';
  const prefixes = Array.from({ length: 10 }, (_, i) => {
    const third = (10 * tens + i).toString(16).padStart(2, '0');
    return `180a28${third}`;
  });
  const length = (attributes.length / 2).toString(16).padStart(4, '0');
  const body = Buffer.from(`0000${length}${attributes}${prefixes.join('')}`, 'hex');
  return Buffer.from(encodeMessage(MESSAGE.update, body));
}

const read = (program: string, args: readonly string[]): string =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** `bgpdump -m`, split: [1] time, [3] peer, [4] AS, [5] prefix, [8] next hop. */
const dumped = (file: string): string[][] =>
  read('bgpdump', ['-m', file])
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('|'));

beforeAll(async () => {
  net = await TwoPes.open('mtd', { switched: true });
  await net.router(31);
  await startPe(net, 1, config());
  peer = new Host(`${net.name}r31`, 65001, 0xc000_021f);
  peer.apply({ address: PE, ...SESSION });
  await peer.established(PE);
  const id = peer.view(PE)?.id;
  if (id === undefined) throw new Error('the peer has no session');
  begun = Math.floor(Date.now() / 1000);
  for (let tens = 0; tens < ROUTES / 10; tens++) peer.speaker.send(id, coreUpdate(tens));
  peer.speaker.send(id, vpnUpdate(PEER, '10.31.0.0'));
  await eventually('the routes', async () => {
    const last = await bgpPaths(net, 1, `10.40.${ROUTES - 1}.0/24`);
    const imported = await bgpPaths(net, 1, '10.31.0.0/24', 'A');
    return last.length > 0 && imported.length > 0 ? true : undefined;
  });
});
afterAll(async () => {
  (peer as Host | undefined)?.close();
  await (net as TwoPes | undefined)?.close();
});

/** Names of whole dumps of the core that are there, the oldest first. */
const whole = (): string[] =>
  readdirSync(net.run)
    .filter((name) => name.endsWith('.rib'))
    .sort();

it('a dump at the full minute has all routes of the core, and bgpdump reads them', async () => {
  // Begun after the routes had come: the next full minute at the latest.
  const digits = new Date().toISOString().replaceAll(/\D/g, '');
  const now = `${digits.slice(0, 8)}-${digits.slice(8, 14)}.rib`;
  const name = await eventually(
    'a dump',
    () => whole().find((one) => one > now && existsSync(`${net.run}/${one}.A`)),
    150_000,
  );
  expect(name).toMatch(/^\d{8}-\d{4}0\d\.rib$/);
  const rows = dumped(`${net.run}/${name}`);
  const theirs = rows.filter((row) => row[3] === PEER);
  expect(theirs.map((row) => row[5]).sort()).toEqual(
    Array.from({ length: ROUTES }, (_, i) => `10.40.${i}.0/24`).sort(),
  );
  const end = Date.now() / 1000;
  for (const row of theirs) {
    expect(row.slice(3, 5)).toEqual([PEER, '65001']);
    expect(row[8]).toBe(PEER);
  }
  // bgpdump -m tells the time of the dump; the long form has each route's.
  const times = [...read('bgpdump', [`${net.run}/${name}`]).matchAll(/^ORIGINATED: (.+)$/gm)].map(
    ([, text = '']) => {
      const [date = '', time = ''] = text.split(' ');
      const [month = '', day = '', year = ''] = date.split('/');
      return Date.parse(`20${year}-${month}-${day}T${time}Z`) / 1000;
    },
  );
  expect(times.length).toBeGreaterThanOrEqual(ROUTES);
  for (const time of times) {
    // Whole seconds on both sides of it.
    expect(time).toBeGreaterThanOrEqual(begun - 60);
    expect(time).toBeLessThanOrEqual(end);
  }
  expect(times.filter((time) => time >= begun - 2).length).toBeGreaterThanOrEqual(ROUTES);
}, 240_000);

it('the table of a VRF is a file beside it', () => {
  const name = whole().findLast((one) => existsSync(`${net.run}/${one}.A`));
  const rows = dumped(`${net.run}/${name ?? ''}.A`);
  expect(rows.map((row) => [row[3], row[5]])).toEqual(
    expect.arrayContaining([
      [PEER, '10.31.0.0/24'],
      ['0.0.0.0', '10.1.0.0/24'],
    ]),
  );
});

it("OpenBGPD's bgpctl reads the VPN routes too", (context) => {
  if (!existsSync(BGPCTL)) context.skip('openbgpd is not installed');
  const name = whole().findLast((one) => existsSync(`${net.run}/${one}.A`));
  const text = read(BGPCTL, ['show', 'mrt', 'detail', 'file', `${net.run}/${name ?? ''}`]);
  expect(text).toContain('BGP routing table entry for rd 65001:31 10.31.0.0/24');
  expect(text).toContain('BGP routing table entry for rd 65001:1 10.1.0.0/24');
  expect(text.match(/BGP routing table entry for 10\.40\./g)).toHaveLength(ROUTES);
});

it('sealane bgp dump writes them now, over no file', async () => {
  const path = `${net.run}/now-%Y.mrt`;
  const files = await net.client(1, async (client) => client.dumpBgp(path));
  expect(files.map((file) => file.path)).toEqual([path, `${path}.A`]);
  expect(dumped(path).filter((row) => row[3] === PEER)).toHaveLength(ROUTES);
  // The record of the peers, and one for each route.
  expect(Number(files[0]?.records)).toBeGreaterThan(ROUTES + 1);
  const again = net.client(1, async (client) => client.dumpBgp(path));
  await expect(again).rejects.toMatchObject({
    ...{ code: 'APPLY_FAILED', message: expect.stringContaining('EEXIST') as string },
  });
  const relative = net.client(1, async (client) => client.dumpBgp('now.mrt'));
  await expect(relative).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(readdirSync(net.run).filter((name) => name.endsWith('.part'))).toEqual([]);
});
