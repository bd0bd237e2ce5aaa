// SPDX-License-Identifier: Apache-2.0
/**
 * BFD between two PEs that speak BGP: who does not forward any more is found out in its detection time, not
 * in BGP's hold time, and who only restarts its supervisor is not mistaken for that.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import type { Config } from '../../../src/config/types.js';
import { otherEnd, TwoPes, type End } from '../supervisor/two-pes.js';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('tbfd');
  for (const end of [1, 2] as const) {
    net.write(end, config(end));
    net.start(end);
  }
  for (const end of [1, 2] as const) await net.tunnelUp(end);
});
afterAll(async () => {
  await net.close();
});

/** Hold time 90 s; BFD finds a failure after 3 × 200 ms. */
function config(end: End): Config {
  const base = net.config(end);
  const targets = ['65001:100'];
  const neighbour = {
    ...{ asn: 65001, timers: { connectRetry: 1, hold: 90 } },
    bfd: { minTx: 200, minRx: 200, multiplier: 3 },
  };
  return {
    ...base,
    bgp: {
      ...{ asn: 65001, routerId: `192.0.2.${end}` },
      neighbours: { [`192.0.2.${otherEnd(end)}`]: neighbour },
    },
    vrfs: {
      A: {
        addresses: [`10.255.0.${end}/32`],
        bgp: {
          ...{ rd: `65001:${end}`, importTargets: targets, exportTargets: targets },
          redistribute: { connected: true },
        },
      },
    },
  };
}

const lines = (end: End, what: string): string[] =>
  net
    .logText(end)
    .split('\n')
    .filter((line) => line.includes(what));

/** How often this end's BFD session came up, and failed, since its log began. */
const ups = (end: End): number => lines(end, 'BFD state').filter((l) => l.includes('to=up')).length;
const failures = (end: End): number =>
  lines(end, 'BFD state').filter((l) => l.includes('failed=true')).length;

/** How often BGP left, or came to, Established. */
const sessions = (end: End, what: 'from=established' | 'to=established'): number =>
  lines(end, 'session state').filter((line) => line.includes(what)).length;

async function sessionUp(end: End, times: number): Promise<void> {
  await eventually(`BGP of PE ${end} up`, () =>
    sessions(end, 'to=established') >= times ? true : undefined,
  );
}

async function bfdUp(end: End, times: number): Promise<void> {
  await eventually(`BFD of PE ${end} up`, () => (ups(end) >= times ? true : undefined));
}

async function routeTo(end: End, prefix: string, there: boolean, ms = 30_000): Promise<void> {
  await eventually(
    `PE ${end} ${there ? 'has' : 'has no'} ${prefix}`,
    async () => {
      const rows = await net.show(end, 'routes').catch(() => undefined);
      const found = rows?.some(({ vrf, prefix: its, owner }) => {
        return vrf === 'A' && its === prefix && owner === 'bgp';
      });
      return found === there ? true : undefined;
    },
    ms,
  );
}

/** SIGSTOP or SIGCONT for everything that a PE consists of. */
async function signalPe(worker: number, end: End, signal: NodeJS.Signals): Promise<void> {
  process.kill(worker, signal);
  net.supervisor(end).kill(signal);
  const state = signal === 'SIGSTOP' ? 'T' : '';
  await eventually(`${signal} arrived`, () => {
    const stat = readFileSync(`/proc/${worker}/stat`, 'utf8');
    return (/\) T /.exec(stat) === null) === (state === '') ? true : undefined;
  });
}

describe('BFD for BGP', () => {
  it('comes up beside the session', async () => {
    for (const end of [1, 2] as const) await bfdUp(end, 1);
    await routeTo(1, '10.2.0.0/24', true);
    await routeTo(2, '10.1.0.0/24', true);
    expect([failures(1), failures(2)]).toEqual([0, 0]);
  });

  it('does not notice that a supervisor is killed and comes back', async () => {
    const before = ups(1);
    await net.killSupervisor(2);
    net.start(2);
    await net.tunnelUp(2);
    // The new supervisor goes on with the session that its worker has kept.
    await eventually('the session taken over', () => (ups(2) >= 1 ? true : undefined));
    // What was learnt is in the tables all the time: only the session says that they talk again.
    await sessionUp(1, 2);
    await routeTo(2, '10.1.0.0/24', true);
    expect(ups(1)).toBe(before);
    expect([failures(1), failures(2)]).toEqual([0, 0]);
  });

  it('does not notice that another worker goes on for one', async () => {
    const downs = (): number =>
      lines(2, 'BFD state').filter((line) => line.includes('to=down')).length;
    const seen = (): number[] => [
      ...[lines(1, 'BFD state').length, sessions(1, 'from=established')],
      ...[downs(), sessions(2, 'from=established')],
    ];
    const before = seen();
    for (let round = 0; round < 3; round++) {
      const reply = await net.client(2, async (client) => client.restartWorker());
      expect(reply.lossy).toBe('');
      // Longer than the detection time.
      await new Promise((wake) => setTimeout(wake, 1_000));
    }
    expect(seen()).toEqual(before);
    expect([failures(1), failures(2)]).toEqual([0, 0]);
  });

  it('ends session and routes well before the hold time when a PE stands still', async () => {
    const worker = await net.workerPid(2);
    const already = lines(1, 'BFD Down').length;
    await signalPe(worker, 2, 'SIGSTOP');
    const began = Date.now();
    try {
      await eventually('a failure', () => (failures(1) === 1 ? true : undefined), 10_000);
      await routeTo(1, '10.2.0.0/24', false, 5_000);
      expect(Date.now() - began).toBeLessThan(10_000);
      const closed = lines(1, 'BFD Down').slice(already);
      expect(closed.join('\n')).toContain('NOTIFICATION sent');
      expect(closed.join('\n')).toMatch(/session state .*from=established/);
    } finally {
      await signalPe(worker, 2, 'SIGCONT');
    }
    await bfdUp(1, 2);
    await sessionUp(1, 3);
    await routeTo(1, '10.2.0.0/24', true);
  });

  it('drops what is kept over a restart when the worker goes too (RFC 5882 §4.3)', async () => {
    const worker = await net.workerPid(2);
    const before = failures(1);
    const already = sessions(1, 'from=established');
    await net.killSupervisor(2);
    await eventually('the session lost', () =>
      sessions(1, 'from=established') > already ? true : undefined,
    );
    // Kept: the restarted neighbour may be back any moment.
    await routeTo(1, '10.2.0.0/24', true);
    process.kill(worker, 'SIGKILL');
    const began = Date.now();
    await routeTo(1, '10.2.0.0/24', false, 20_000);
    expect(Date.now() - began).toBeLessThan(20_000);
    expect(failures(1)).toBe(before + 1);
    net.start(2);
    await net.tunnelUp(2);
    await sessionUp(1, 4);
    await routeTo(1, '10.2.0.0/24', true);
  });
});
