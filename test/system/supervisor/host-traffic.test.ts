// SPDX-License-Identifier: Apache-2.0
/** Traffic of the PE itself: what runs in a VRF's namespace, such as a routing daemon. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { TwoPes } from './two-pes.js';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('hst');
  await net.up();
  for (const to of ['10.2.0.2', '2001:db8:a:2::2']) await net.reach(1, to);
});
afterAll(async () => {
  await net.close();
});

const TUNNEL_MTU = 1438; // 1500 - IPv4 20 - ESP 8 + 8 - GRE 4 - label 4 - trailer 2 - ICV 16

describe('the kernel learns the path MTU of a tunnel for its own packets', () => {
  it.each(['10.2.0.2', '2001:db8:a:2::2'])('to %s', async (to) => {
    const argv = ['ping', '-c', '2', '-i', '0.2', '-W', '1', '-M', 'do', '-s', '1440', to];
    const { stdout, stderr } = await net.lab.exec(net.vrfNetns(1), argv);
    expect(stdout + stderr).toMatch(new RegExp(`mtu[ =:]+${TUNNEL_MTU}`));
  });
});

it.each(['10.2.0.2', '2001:db8:a:2::2'])('TCP from the VRF to %s is not stuck', async (to) => {
  const server = ['iperf3', '-s', '-1', '-p', '5011'];
  const listening = net.lab.start(net.ce(2), server, `${net.run}/iperf3.log`);
  await eventually('a listener', async () => {
    const { stdout } = await net.lab.exec(net.ce(2), ['ss', '-Hltn', 'sport = :5011']);
    return stdout === '' ? undefined : true;
  });
  const argv = ['iperf3', '-c', to, '-p', '5011', '-n', '1M', '-J'];
  const { code, stdout } = await net.lab.exec(net.vrfNetns(1), argv, { timeoutMs: 20_000 });
  await net.lab.stop(listening);
  expect(code, stdout).toBe(0);
  expect(stdout).toMatch(/"sum_received":\s*\{[^}]*"bytes":\s*[1-9]\d{5,}/);
});

it('an unreachable destination is told to it as well', async () => {
  const argv = ['ping', '-c', '1', '-W', '1', '172.31.0.1'];
  const { stdout } = await net.lab.exec(net.vrfNetns(1), argv);
  expect(stdout).toMatch(/From 10\.255\.0\.1 .*Unreachable/);
});
