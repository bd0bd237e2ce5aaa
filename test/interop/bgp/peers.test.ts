// SPDX-License-Identifier: Apache-2.0
/** The helper itself: the three speakers with each other, so that a failure elsewhere is ours. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../scripts/lib/lab.js';
import { missing, startBgpPeer } from '../../lib/bgp-peers.js';

const folder = mkdtempSync(`${tmpdir()}/slb-peers-`);
let lab: Lab;

beforeAll(async () => {
  lab = await Lab.open('slb-peers');
  for (const netns of ['slbp-f', 'slbp-g', 'slbp-b']) await lab.namespace(netns);
  await lab.link('slbp-f', 'to-g', 'slbp-g', 'to-f');
  await lab.link('slbp-f', 'to-b', 'slbp-b', 'to-f');
  await lab.ip('slbp-f', ['addr add 10.1.1.1/24 dev to-g', 'addr add 10.1.2.1/24 dev to-b']);
  await lab.ip('slbp-g', ['addr add 10.1.1.2/24 dev to-f']);
  await lab.ip('slbp-b', ['addr add 10.1.2.2/24 dev to-f']);
});
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true, force: true });
});

test('FRR, GoBGP and BIRD start, peer with each other and are seen up and down', async (ctx) => {
  const absent = (['frr', 'gobgp', 'bird'] as const).map(missing).find((why) => why !== undefined);
  if (absent !== undefined) ctx.skip(absent);
  const frr = await startBgpPeer(lab, 'frr', {
    ...{ netns: 'slbp-f', name: 'frr', folder },
    config: [
      'router bgp 65001',
      ' bgp router-id 10.1.1.1',
      ' no bgp ebgp-requires-policy',
      ' neighbor 10.1.1.2 remote-as 65002',
      ' neighbor 10.1.2.2 remote-as 65003',
      '',
    ].join('\n'),
  });
  const gobgp = await startBgpPeer(lab, 'gobgp', {
    ...{ netns: 'slbp-g', name: 'gobgp', folder },
    config: [
      '[global.config]',
      '  as = 65002',
      '  router-id = "10.1.1.2"',
      '[[neighbors]]',
      '  [neighbors.config]',
      '    neighbor-address = "10.1.1.1"',
      '    peer-as = 65001',
      '  [neighbors.timers.config]',
      '    connect-retry = 1',
      '    idle-hold-time-after-reset = 1',
      '',
    ].join('\n'),
  });
  const bird = await startBgpPeer(lab, 'bird', {
    ...{ netns: 'slbp-b', name: 'bird', folder },
    config: [
      'router id 10.1.2.2;',
      'protocol device {}',
      'protocol bgp peer {',
      '  local 10.1.2.2 as 65003;',
      '  neighbor 10.1.2.1 as 65001;',
      '  connect delay time 1;',
      '  ipv4 { import all; export all; };',
      '}',
      '',
    ].join('\n'),
  });
  await gobgp.waitEstablished('10.1.1.1');
  await bird.waitEstablished('10.1.2.1');
  await frr.waitEstablished('10.1.1.2');
  await frr.waitEstablished('10.1.2.2');
  expect(await frr.state('10.9.9.9').catch(() => undefined)).toBeUndefined();
  await gobgp.stop('SIGKILL');
  await frr.waitDown('10.1.1.2');
  await bird.stop();
  await frr.waitDown('10.1.2.2');
});
