import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../../scripts/lib/lab.js';
import { TwoPes } from './two-pes.js';

/** A host that the PE's kernel could reach by itself, if it forwarded. */
const BEHIND = '203.0.113.5';

let net: TwoPes;
beforeAll(async () => {
  net = await TwoPes.open('daf');
  const { lab } = net;
  await lab.link(net.pe(1), 'out', net.ce(2), 'behind');
  await lab.ip(net.pe(1), ['addr add 203.0.113.1/24 dev out']);
  await lab.ip(net.ce(2), [`addr add ${BEHIND}/24 dev behind`]);
  await net.up();
  await net.reach(1, '10.2.0.2');
  // The CE goes on sending to the PE's MAC address, whether or not anybody answers ARP.
  const link = await lab.must(net.pe(1), ['cat', '/proc/net/dev']);
  expect(link).toContain('cust');
  const shown = await lab.must(net.pe(1), ['ip', '-o', 'link', 'show', 'cust']);
  const mac = /link\/ether (\S+)/.exec(shown)?.[1] ?? '';
  await lab.ip(net.ce(1), [`neigh replace 10.1.0.1 lladdr ${mac} dev eth0 nud permanent`]);
});
afterAll(async () => {
  await net.close();
});

/** Packets from the CE that came out behind the PE's kernel while the CE sent `count` pings. */
async function leaked(): Promise<number> {
  const received = async (): Promise<number> => {
    const text = await net.lab.must(net.ce(2), ['cat', '/proc/net/snmp']);
    const rows = text.split('\n').filter((line) => line.startsWith('Icmp:'));
    const [names = [], values = []] = rows.map((line) => line.split(' '));
    return Number(values[names.indexOf('InEchos')]);
  };
  const before = await received();
  await net.ping(1, BEHIND, { count: 20, intervalMs: 10 });
  return (await received()) - before;
}

const forwardingOn = async (): Promise<unknown> =>
  net.lab.must(net.pe(1), [
    'sysctl',
    '-qw',
    'net.ipv4.conf.all.forwarding=1',
    'net.ipv4.conf.cust.forwarding=1',
  ]);

it('notices within seconds that an interface hears again, and makes it deaf', async () => {
  await net.lab.must(net.pe(1), ['nft', 'delete', 'table', 'netdev', 'sealane_cust']);
  await forwardingOn();
  await eventually('the drop is back', async () => {
    const { stdout } = await net.lab.exec(net.pe(1), [
      'nft',
      'list',
      'table',
      'netdev',
      'sealane_cust',
    ]);
    return stdout.includes('policy drop') ? true : undefined;
  });
  expect(net.logText(1)).toMatch(/not deaf any more.*nftables drop is missing/);
  const value = await net.lab.must(net.pe(1), ['sysctl', '-n', 'net.ipv4.conf.all.forwarding']);
  expect(value.trim()).toBe('0');
});

it('notices that forwarding is on in the namespace of a VRF, and turns it off', async () => {
  const netns = net.vrfNetns(1);
  const sysctl = 'net.ipv4.conf.sealane0.forwarding';
  // More than once: the repair of what the test before did may still be under way and take it off.
  await eventually('noticed', async () => {
    await net.lab.must(netns, ['sysctl', '-qw', `${sysctl}=1`]);
    return net.logText(1).includes(`namespace ${netns} forwards`) ? true : undefined;
  });
  await eventually('off again', async () => {
    const value = await net.lab.must(netns, ['sysctl', '-n', sysctl]);
    return value.trim() === '0' ? true : undefined;
  });
});

it('with host forwarding on and supervisor and worker dead, nothing leaves (policy-model 20)', async () => {
  const worker = await net.workerPid(1);
  await net.killSupervisor(1);
  process.kill(worker, 'SIGKILL');
  await forwardingOn();
  expect(await leaked()).toBe(0);
  expect(await net.ping(1, '10.1.0.1', { count: 5, intervalMs: 10 })).toBe(0);
});

it('and it is the deafness that keeps it in: without it the kernel forwards', async () => {
  await net.lab.must(net.pe(1), ['nft', 'delete', 'table', 'netdev', 'sealane_cust']);
  expect(await leaked()).toBe(20);
});

it('a PE that starts again is deaf before its worker forwards', async () => {
  net.start(1);
  await net.tunnelUp(1);
  expect(await leaked()).toBe(0);
  await net.reach(1, '10.2.0.2');
});
