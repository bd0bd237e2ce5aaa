// SPDX-License-Identifier: Apache-2.0
/** P10 between two PEs: the first packet of a pair that has never talked arrives, although there was no SA for it. */
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { IkePes } from './ike-pes.js';

let pes: IkePes;
afterEach(async () => {
  await pes.close();
});

/** Less than what a packet is held for; IKE is let through long before. */
const PATIENCE_S = 28;

/** The core loses what IKE sends, until the answer is called. */
async function withoutIke({ net }: IkePes): Promise<() => Promise<void>> {
  const rules = [
    'table bridge noike {',
    '  chain forward {',
    '    type filter hook forward priority 0;',
    '    ether type ip udp dport 500 drop',
    '  }',
    '}',
  ];
  await net.lab.must(net.core, ['nft', '-f', '-'], { input: `${rules.join('\n')}\n` });
  return async () => {
    await net.lab.must(net.core, ['nft', 'delete', 'table', 'bridge', 'noike']);
  };
}

describe('the first packet', () => {
  it('waits for its SA, and is the only one that does', async () => {
    pes = await IkePes.open('ikfp', { proof: 'psk' });
    const { net } = pes;
    const letThrough = await withoutIke(pes);
    for (const end of [1, 2] as const) {
      net.write(end, pes.config(end));
      net.start(end);
    }
    for (const end of [1, 2] as const) {
      await eventually('the PEs ask each other in vain', async () => {
        const rows = await net.show(end, 'tunnels').catch(() => []);
        return rows[0]?.state === 'pending' ? true : undefined;
      });
      await net.reach(end, `10.${end}.0.1`); // the CE is known to its PE
    }
    const worker = async (): Promise<readonly [held: number, released: number]> => {
      const [row] = await net.show(1, 'workers');
      return [Number(row?.held ?? -1), Number(row?.released ?? -1)];
    };
    const drops = async (reason: string): Promise<number> =>
      Number((await net.drops(1)).get(reason) ?? 0);
    expect(await worker()).toEqual([0, 0]);
    expect(await drops('sa_missing')).toBe(0);

    const argv = ['ping', '-c', '1', '-W', `${PATIENCE_S}`, '10.2.0.2'];
    const first = net.lab.exec(net.ce(1), argv, { timeoutMs: 60_000 });
    await eventually('it is held', async () => ((await worker())[0] === 1 ? true : undefined));
    expect(await net.ping(1, '10.2.0.2', { count: 3 })).toBe(0);
    expect(await drops('sa_missing')).toBe(3);
    expect(await net.show(1, 'sas')).toEqual([]);

    await letThrough();
    expect((await first).stdout).toContain(' 1 received');
    expect(await worker()).toEqual([0, 1]);
    expect(await drops('sa_missing')).toBe(3);
    expect(await drops('held_expired')).toBe(0);
  });
});
