// SPDX-License-Identifier: Apache-2.0
/**
 * The drop reasons of BFD: packets from loopback addresses of the harness's namespace to listeners that the addon
 * made there. Sessions here send once a minute, so that what they send is not taken for what is counted.
 */
import { expect } from 'vitest';
import { eventually } from '../../scripts/lib/lab.js';
import type { BfdParameters } from '../../src/rpc/gen/worker.js';
import { BfdAuthType } from '../../src/rpc/gen/worker.js';
import type { Harness } from './harness.js';
import { COUNT } from './provoke.js';
import type { Pe } from './pe.js';

interface Stage {
  readonly pe: Pe;
}

const LISTENER = 1;
const SESSION = 1;
const OURS = Uint8Array.of(127, 0, 0, 1);
const PEER = Uint8Array.of(127, 0, 0, 2);

const PARAMETERS: BfdParameters = {
  ...{ desiredMinTxUs: 60_000_000, requiredMinRxUs: 60_000_000, detectMult: 3, adminDown: false },
  ...{ authType: BfdAuthType.BFD_AUTH_NONE, authKeyId: 0, authKey: Buffer.alloc(0), minTtl: 1 },
};
const KEYED: BfdParameters = {
  ...PARAMETERS,
  ...{ authType: BfdAuthType.BFD_AUTH_KEYED_SHA1, authKey: Buffer.from('secret') },
};

/** Down, Detect Mult 3, My Discriminator 1, of nobody, a second each way: RFC 5880 section 4.1. */
const PACKET = '2040031800000001' + '00000000' + '000f4240000f4240' + '00000000';

const count = ({ tables }: Harness, reason: string): bigint =>
  tables.drops().find((row) => row.reason === reason)?.packets ?? 0n;

async function withListener(harness: Harness, work: () => Promise<void>): Promise<void> {
  const { client, kernel } = harness;
  const netns = kernel.openNetns(`/run/netns/${harness.netns}`);
  const fd = kernel.openBfdListener({ netns, family: 4, multihop: false });
  const value = { listener: LISTENER, name: 'provoke', multihop: false };
  await client.call({ $case: 'addBfdListener', value }, [fd]);
  kernel.closeDescriptor(fd);
  kernel.closeDescriptor(netns);
  await work();
  await client.call({ $case: 'removeBfdListener', value: { listener: LISTENER } });
}

async function withSession(
  harness: Harness,
  remote: Uint8Array,
  parameters: BfdParameters,
  work: () => Promise<void>,
): Promise<void> {
  const { client, kernel } = harness;
  await withListener(harness, async () => {
    const netns = kernel.openNetns(`/run/netns/${harness.netns}`);
    const fd = kernel.openBfdSender({ netns, local: OURS });
    const value = {
      ...{ session: SESSION, name: 'provoke', listener: LISTENER },
      ...{ remote: Buffer.from(remote), parameters, resume: undefined },
    };
    await client.call({ $case: 'addBfdSession', value }, [fd]);
    kernel.closeDescriptor(fd);
    kernel.closeDescriptor(netns);
    await work();
    await client.call({ $case: 'removeBfdSession', value: { session: SESSION } });
  });
}

/** Sends COUNT times from the peer's address. */
async function send(harness: Harness, hex: string, ttl: number): Promise<void> {
  const script = [
    'import socket',
    's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
    's.bind(("127.0.0.2", 0))',
    `s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ${ttl})`,
    `for _ in range(${COUNT}): s.sendto(bytes.fromhex("${hex}"), ("127.0.0.1", 3784))`,
  ];
  await harness.must(['/usr/bin/python3', '-c', script.join('\n')]);
}

/** `work` makes the reason's count rise by `by`, and no further. */
async function rises(
  harness: Harness,
  reason: string,
  by: number,
  work: () => Promise<void>,
): Promise<void> {
  const before = count(harness, reason);
  await work();
  const want = before + BigInt(by);
  await eventually(reason, () => (count(harness, reason) >= want ? true : undefined), 5000);
  await new Promise((wake) => setTimeout(wake, 50));
  expect(count(harness, reason)).toBe(want);
}

const dropped =
  (reason: string, hex: string, ttl: number) =>
  async ({ pe: { harness } }: Stage): Promise<void> => {
    await harness.must(['ip', 'link', 'set', 'lo', 'up']);
    await withListener(harness, () => rises(harness, reason, COUNT, () => send(harness, hex, ttl)));
  };

/** The session's own first packet comes to the listener, too: it is nobody's. */
async function notAuthentic({ pe: { harness } }: Stage): Promise<void> {
  const own = count(harness, 'bfd_no_session');
  await withSession(harness, PEER, KEYED, async () => {
    await eventually('its own', () =>
      count(harness, 'bfd_no_session') === own + 1n ? true : undefined,
    );
    await rises(harness, 'bfd_auth', COUNT, () => send(harness, PACKET, 255));
  });
}

/** From loopback no other host is reached. */
async function notSent({ pe: { harness } }: Stage): Promise<void> {
  await rises(harness, 'bfd_send', 1, () =>
    withSession(harness, Uint8Array.of(192, 0, 2, 1), PARAMETERS, async () => {
      await new Promise((wake) => setTimeout(wake, 200));
    }),
  );
}

export const BFD: Record<string, (stage: Stage) => Promise<void>> = {
  bfd_malformed: dropped('bfd_malformed', PACKET.slice(0, -2), 255),
  bfd_ttl: dropped('bfd_ttl', PACKET, 254),
  bfd_no_session: dropped('bfd_no_session', PACKET, 255),
  bfd_auth: notAuthentic,
  bfd_send: notSent,
};
