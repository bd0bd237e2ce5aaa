// SPDX-License-Identifier: Apache-2.0
/**
 * What an operator does to the sessions of a running PE, as a peer in the core sees it:
 *
 *   192.0.2.31 and peers out of 192.0.2.32/31 ---- 192.0.2.1, PE 1 with VRF A
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { Host } from '../../interop/bgp/host.js';
import { peConfig, reload } from '../../interop/bgp/pe-net.js';
import { settle } from '../kernel/support.js';
import { TwoPes } from '../supervisor/two-pes.js';

const CLI = ['node', fileURLToPath(new URL('../../../build/js/cli/main.js', import.meta.url))];
const PE = '192.0.2.1';
const PEER = '192.0.2.31';
const PREFIX = '192.0.2.32/31';
const VPNV4 = 2;
const SESSION = {
  ...{ asn: 65001, timers: { connectRetry: 1, connectRetryMax: 1 } },
  families: { 'vpnv4-unicast': {} },
};
let net: TwoPes;
let peer: Host;
let dynamic: Host;

function config(description = 'peer'): Config {
  return peConfig(net, 1, {
    alone: true,
    bgp: {
      neighbours: { [PEER]: { ...SESSION, description } },
      dynamicNeighbours: { [PREFIX]: SESSION },
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
}

async function sealane(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const socket = ['--socket', `${net.run}/pe1/control.sock`];
  const { code, stdout, stderr } = await net.lab.exec(net.pe(1), [...CLI, ...socket, ...args]);
  return { code, out: stdout, err: stderr };
}

const state = async (name = PEER): Promise<string | undefined> =>
  (await net.show(1, 'bgp summary')).find(({ neighbor }) => neighbor === name)?.state;

async function open(number: number): Promise<Host> {
  await net.router(number);
  return new Host(`${net.name}r${number}`, 65001, 0xc0000200 + number);
}

/** A server on the port of BGP that is not ours. */
const OCCUPANT = [
  'import socket, time',
  's = socket.socket()',
  's.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)',
  's.bind(("0.0.0.0", 179)); s.listen(); print("listens", flush=True); time.sleep(600)',
].join('\n');

beforeAll(async () => {
  net = await TwoPes.open('bop', { switched: true });
  [peer, dynamic] = [await open(31), await open(32)];
});
afterAll(async () => {
  for (const host of [peer, dynamic] as (Host | undefined)[]) host?.close();
  await (net as TwoPes | undefined)?.close();
});

it('a port that cannot be listened on is why an instance is degraded, until it can be', async () => {
  const log = `${net.run}/occupant.log`;
  const occupant = net.lab.start(net.pe(1), ['/usr/bin/python3', '-c', OCCUPANT], log);
  await eventually('the port is taken', async () => {
    const { stdout } = await net.lab.exec(net.pe(1), ['cat', log]);
    return stdout.includes('listens') ? true : undefined;
  });
  net.write(1, config());
  net.start(1);
  const status = async () =>
    net.client(1, async (client) => client.status()).catch(() => undefined);
  const degraded = await eventually('a reason', async () => {
    const now = await status();
    return now?.state === 'degraded' && now.workerState === 'running' ? now : undefined;
  });
  expect(degraded.reason).toBe('BGP cannot listen on 0.0.0.0');
  expect((await sealane('status')).out).toContain('BGP cannot listen on 0.0.0.0');
  await net.lab.stop(occupant);
  await eventually('it runs', async () =>
    (await status())?.state === 'running' ? true : undefined,
  );
});

describe('bgp clear --soft', () => {
  beforeAll(async () => {
    peer.apply({ address: PE, ...SESSION });
    await peer.established(PE);
    await eventually('routes', () => (routes() > 0 ? true : undefined));
  });

  /** UPDATEs with our route, 10.1.0.0/24 with RD 65001:1. */
  const routes = (): number =>
    peer.ears.updates.filter((octets) =>
      Buffer.from(octets).toString('hex').includes('0000fde9000000010a0100'),
    ).length;

  it.each([
    ['in', 'asked for its routes again', 1, 0],
    ['out', 'sent our routes again', 0, 1],
    ['both', 'asked for its routes and sent ours again', 1, 1],
  ])('%s', async (way, words, asked, told) => {
    const [before, refreshes] = [routes(), peer.ears.refreshes.length];
    const { code, out } = await sealane('bgp', 'clear', PEER, '--soft', way);
    expect([code, out]).toEqual([0, `${PEER} ${words}\n`]);
    // Ours stand between BoRR and EoRR, subtypes 1 and 2 (RFC 7313 §4.1).
    const subtypes = [...(asked === 1 ? [0] : []), ...(told === 1 ? [1, 2] : [])];
    const seen = await eventually('all of it', () => {
      const now = peer.ears.refreshes.slice(refreshes);
      return now.length >= subtypes.length ? now : undefined;
    });
    expect(seen.map(({ family }) => family)).toEqual(subtypes.map(() => VPNV4));
    expect(seen.map(({ subtype }) => subtype).sort()).toEqual(subtypes);
    expect(routes() - before).toBe(told);
    expect(peer.ears.down).toHaveLength(0);
  });
});

describe('bgp neighbor', () => {
  it('shutdown: the peer is told why, and stays out until start', async () => {
    const ups = peer.ears.up.length;
    const { code, out } = await sealane(
      'bgp',
      'neighbor',
      PEER,
      'shutdown',
      '--message',
      'new cables',
    );
    expect([code, out]).toEqual([
      ...[0, `${PEER} shut down until the next start, restart or reload\n`],
    ]);
    await peer.down(PE);
    expect(peer.view(PE)?.lastError).toMatchObject({ by: 'peer', code: 6 });
    expect(peer.view(PE)?.lastError?.reason).toMatch(/Administrative Shutdown.*new cables/);
    expect(await state()).toBe('shutdown');
    await settle(3000); // it tries every second
    expect([await state(), peer.ears.up.length]).toEqual(['shutdown', ups]);
    const clear = await sealane('bgp', 'clear', PEER);
    expect([clear.code, clear.err]).toEqual([
      1,
      expect.stringContaining('shut down by an operator'),
    ]);
    expect((await sealane('bgp', 'neighbor', PEER, 'start')).out).toBe(`${PEER} started\n`);
    await peer.established(PE);
    expect(peer.ears.up).toHaveLength(ups + 1);
  });

  it('shutdown: another configuration starts it, too', async () => {
    await sealane('bgp', 'neighbor', PEER, 'shutdown');
    await peer.down(PE);
    expect(await state()).toBe('shutdown');
    await reload(net, 1, config('peer of before'));
    await peer.established(PE);
  });

  it('shutdown of a prefix ends its sessions and takes no new ones', async () => {
    dynamic.apply({ address: PE, ...SESSION });
    await dynamic.established(PE);
    const { out } = await sealane('bgp', 'neighbor', PREFIX, 'shutdown');
    expect(out).toBe('192.0.2.32 shut down until the next start, restart or reload\n');
    await dynamic.down(PE);
    await settle(3000);
    expect(dynamic.ears.up).toHaveLength(1);
    expect((await sealane('bgp', 'neighbor', PREFIX, 'start')).out).toBe('192.0.2.32 started\n');
    await dynamic.established(PE);
  });
});
