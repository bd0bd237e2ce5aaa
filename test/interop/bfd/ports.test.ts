// SPDX-License-Identifier: Apache-2.0
/**
 * BFD the whole way: the link is a port of the worker, and its packets go by the packet path, the punt ring and
 * the interface's TAP. Also what is said last, when the worker that carries it ends.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ip, addon, Bed, SINGLE4, SINGLE6 } from './bed.js';
import { installIngressDrop } from '../../../src/kernel/ingress-drop.js';
import { dissect } from '../../lib/tshark.js';
import { Bird, birdIsThere } from './bird.js';

/** The veth `hop` of the PE's namespace becomes the worker's port `wire`; `hop` is now the interface's TAP. */
async function givePort(bed: Bed): Promise<void> {
  const { lab, pe, tables, client } = bed;
  await lab.ip(pe, ['link set hop down', 'addr flush dev hop', 'link set hop name wire']);
  await lab.must(pe, ['ip', 'link', 'set', 'wire', 'addrgenmode', 'none', 'mtu', '1600']);
  await lab.must(pe, ['sysctl', '-qw', 'net.ipv6.conf.wire.disable_ipv6=1']);
  await lab.must(pe, ['ip', 'link', 'set', 'wire', 'up']);
  const netns = addon.kernel.openNetns(`/run/netns/${pe}`);
  await installIngressDrop(netns, 'wire');
  const port = tables.portId('wire');
  const devargs = `net_af_packet${port},iface=wire`;
  const wanted = { port, name: 'wire', devargs, mtu: 1600, promiscuous: false, noOffloads: false };
  const { mac } = await client.addPort(wanted, netns);
  const vrf = tables.putVrf({
    name: 'a',
    ttlUniform: false,
    tcUniform: false,
    clampMss: false,
    hostInterface: 0,
  });
  const row = tables.putInterface({
    ...{ name: 'hop', role: 'ce', vrf, port, vlan: 0, mtu: 1500, mac },
    ...{ address4: ip('10.77.0.1'), address6: ip('fd77::1'), linkLocal6: ip('fe80::77:1') },
    ...{ acceptGre: false, acceptIp: false, mplsOwnSp: false, mplsOtherSp: false },
  });
  for (const address of [ip('10.77.0.1'), ip('fd77::1')]) {
    const nexthop = tables.nexthop(`receive ${address.join('.')}`);
    tables.setNexthop(nexthop, { kind: 'receive', interface: row, vrf });
    tables.applyRoutes({
      ...{ vrf, family: address.length === 4 ? 4 : 6, count: 1, remove: Uint8Array.of(0) },
      ...{ addresses: address, lengths: Uint8Array.of(address.length * 8) },
      ...{ nexthops: Uint32Array.of(nexthop), labels: Uint32Array.of(0) },
      ...{ accepts: Uint16Array.of(0), owners: Uint8Array.of(1) },
    });
  }
  const queue = addon.kernel.openTap({ netns, name: 'hop', kind: 'tap', mac, attached: true });
  await client.attachInterface(row, queue);
  addon.kernel.closeDescriptor(queue);
  addon.kernel.closeDescriptor(netns);
  await lab.ip(pe, [
    'link set hop up',
    'addr add 10.77.0.1/30 dev hop',
    'addr add fd77::1/64 dev hop',
  ]);
  await client.start();
}

describe.skipIf(!birdIsThere)('by a port of the worker', () => {
  let bed: Bed;
  let bird: Bird;
  beforeAll(async () => {
    bed = await Bed.open('ports');
    await bed.connect();
    await givePort(bed);
    bird = await Bird.start(bed);
  });
  afterAll(async () => {
    await bed.close();
  });

  it('comes up and stays; an orderly end of the worker is said before it goes', async () => {
    const endCapture = await bed.capture('ports', 'hop');
    const paths = [SINGLE4, SINGLE6].map((path) => ({ ...path, interface: 'hop' }));
    const watched = paths.map((path) => bed.watch(path));
    for (const { until } of watched) await until('up', ({ state }) => state === 'up');
    await new Promise((wake) => setTimeout(wake, 3000));
    for (const { session, seen } of watched) {
      expect(session.status.state).toBe('up');
      expect(seen.filter(({ failed }) => failed)).toEqual([]);
    }
    expect(bed.drops('bfd_ttl')).toBe(0n);
    await bed.stopWorker();
    await bird.until('10.77.0.1', 'Down', 2000);
    const file = await endCapture();
    for (const source of ['ip.src == 10.77.0.1', 'ipv6.src == fd77::1']) {
      const frames = await dissect(file, ['bfd.sta', 'bfd.diag', 'ip.ttl', 'ipv6.hlim'], {
        filter: `bfd && ${source}`,
      });
      expect(frames.length).toBeGreaterThan(10);
      expect(new Set(frames.map((frame) => frame['ip.ttl'] || frame['ipv6.hlim']))).toEqual(
        new Set(['255']),
      );
      expect(frames.at(-1)).toMatchObject({ 'bfd.sta': '0x00', 'bfd.diag': '0x07' });
    }
  });
});
