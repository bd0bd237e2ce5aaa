// SPDX-License-Identifier: Apache-2.0
/**
 * One customer's port suffers, another customer notices nothing. PE 1 of two-pes.ts has a second CE, in a VRF of its own:
 *
 *   ce1 ---- VRF A, PE 1 ======== PE 2 ---- ce2      not one packet lost
 *   ceb ---- VRF B, PE 1                             the victim, or the culprit
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { TwoPes } from './two-pes.js';

const program = new URL('arp_flood.py', import.meta.url).pathname;
const CEB = 'fltceb';

let net: TwoPes;

/** The configuration of PE 1, and VRF B with its interface. */
function withB(): Config {
  const config = net.config(1);
  return {
    ...config,
    interfaces: {
      ...config.interfaces,
      'ce-b': {
        ...{ role: 'ce', vrf: 'B', device: { kernel: 'custb' } },
        addresses: ['10.9.0.1/24'],
      },
    },
    vrfs: { ...config.vrfs, B: {} },
  };
}

async function joinB(): Promise<void> {
  await net.lab.link(net.pe(1), 'custb', CEB, 'eth0');
  await net.lab.ip(CEB, ['addr add 10.9.0.2/24 dev eth0']);
}

beforeAll(async () => {
  net = await TwoPes.open('flt');
  await net.lab.namespace(CEB);
  net.lab.own(`${net.pe(1)}-B`);
  await joinB();
  net.write(1, withB());
  net.write(2);
  for (const end of [1, 2] as const) net.start(end);
  for (const end of [1, 2] as const) await net.tunnelUp(end);
  await net.reach(1, '10.2.0.2');
  await reachB();
});
afterAll(async () => {
  await net.close();
});

const interfaceB = async () =>
  (await net.show(1, 'interfaces')).find(({ name }) => name === 'ce-b')!;
const dropped = async (reason: string): Promise<bigint> => (await net.drops(1)).get(reason) ?? 0n;

async function pingB(): Promise<boolean> {
  const argv = ['ping', '-q', '-c', '1', '-W', '1', '10.9.0.1'];
  return (await net.lab.exec(CEB, argv)).code === 0;
}
async function reachB(): Promise<void> {
  await eventually('an answer to customer B', async () => ((await pingB()) ? true : undefined));
}

/** Customer A's packets while something happens: all of them arrive. */
async function nothingIsLost(during: () => Promise<void>, seconds = 4): Promise<void> {
  const count = seconds * 250;
  const stream = net.ping(1, '10.2.0.2', { count, intervalMs: 4 });
  await new Promise((wake) => setTimeout(wake, 300));
  await during();
  expect(await stream).toBe(count);
}

it('15,000 ARP requests a second: each is answered, or counted', async () => {
  const before = { row: await interfaceB(), lost: await dropped('rx_lost') };
  let sent = 0n;
  await nothingIsLost(async () => {
    const argv = ['/usr/bin/python3', program, 'eth0', '10.9.0.1', '15000', '3'];
    sent = BigInt((await net.lab.must(CEB, argv)).trim());
  });
  expect(sent).toBeGreaterThan(20_000n);
  await eventually('each is counted', async () => {
    const row = await interfaceB();
    const lost = (await dropped('rx_lost')) - before.lost;
    const counted = row.punted - before.row.punted + (row.drops - before.row.drops) + lost;
    return counted >= sent ? true : undefined;
  });
  // More than the limit of 10,000 a second: the kernel was spared the rest.
  expect((await dropped('punt_rate')) + (await dropped('punt_full'))).toBeGreaterThan(0n);
  await reachB();
});

it('a link that flaps: its state is shown, and it is used again when it is up', async () => {
  await nothingIsLost(async () => {
    for (let i = 0; i < 10; i++) {
      await net.lab.ip(CEB, ['link set eth0 down']);
      await net.lab.ip(CEB, ['link set eth0 up']);
    }
    await net.lab.ip(CEB, ['link set eth0 down']);
    await eventually('the link is down', async () =>
      (await interfaceB()).link === 'down' ? true : undefined,
    );
  }, 6);
  await net.lab.ip(CEB, ['link set eth0 up']);
  await eventually('the link is up', async () =>
    (await interfaceB()).link === 'up' ? true : undefined,
  );
  await reachB();
});

it('a port that disappears is down, and in use again once there is one and the worker is replaced', async () => {
  await nothingIsLost(async () => {
    await net.lab.ip(net.pe(1), ['link del custb']);
    await eventually('the port is down', async () =>
      (await interfaceB()).link === 'down' ? true : undefined,
    );
  });
  await joinB();
  await nothingIsLost(async () => {
    await net.client(1, async (client) => client.restartWorker());
  }, 8);
  await eventually('the port is up', async () =>
    (await interfaceB()).link === 'up' ? true : undefined,
  );
  await reachB();
});
