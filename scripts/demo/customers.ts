// SPDX-License-Identifier: Apache-2.0
/** What customers do in the demo: ping, traceroute, a TCP transfer. */
import { eventually, type Lab } from '../lib/lab.js';
import type { Checks } from './checks.js';
import type { Throughput } from './findings.js';
import { Capture, occurrences } from './captures.js';
import { learnt } from './routers.js';
import { ONLY_IN_B, site, SITES, VPNS, type Site, type Vpn } from './topology.js';

/** Ping payloads, 16 bytes each, by which a packet is recognised in a capture. */
export const PATTERN: Readonly<Record<Vpn, string>> = {
  A: 'SEALANE-A-SECRET',
  B: 'SEALANE-B-SECRET',
  C: 'SEALANE-C-SECRET',
};

export interface PingResult {
  readonly sent: number;
  readonly received: number;
  readonly rttMs: number; // average; NaN without an answer
  readonly output: string;
}

/** The arguments of ping, from the host behind a CE, with the VPN's pattern. */
export function pingArguments(from: Site, to: string): string[] {
  const pattern = Buffer.from(PATTERN[from.vpn]).toString('hex');
  const source = to.includes(':') ? from.address6 : from.address4;
  return ['ping', '-n', '-I', source, '-p', pattern, to];
}

/** `count` echo requests, five a second. */
export async function ping(
  lab: Lab,
  from: Site,
  to: string,
  packets: number,
  extra: readonly string[] = [],
): Promise<PingResult> {
  const options = ['-c', String(packets), '-i', '0.2', '-W', '2', ...extra];
  const { stdout, stderr } = await lab.exec(from.netns, [...pingArguments(from, to), ...options]);
  const counts = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  const rtt = /rtt [^=]*= [\d.]+\/([\d.]+)\//.exec(stdout);
  return {
    sent: Number(counts?.[1] ?? 0),
    received: Number(counts?.[2] ?? 0),
    rttMs: Number(rtt?.[1] ?? NaN),
    output: stdout + stderr,
  };
}

/** Networks that a CE must have learnt: those of the other sites that are exported to where it is. */
function expected(s: Site): string[] {
  const others = SITES.filter((o) => o.vpn === s.vpn && o.number !== s.number);
  return [
    ...others.flatMap((o) => [o.lan4, o.lan6]),
    ...(s.vpn === 'B' && s.number !== 2 ? [ONLY_IN_B.prefix] : []),
  ];
}

/** Waits until every CE's kernel has the others' networks, by BGP from end to end. */
export async function routesAtCes(lab: Lab, checks: Checks): Promise<void> {
  const lacking = async (): Promise<string[]> =>
    (
      await Promise.all(
        SITES.map(async (s) => {
          const found = new Set(await learnt(lab, s));
          return expected(s)
            .filter((prefix) => !found.has(prefix))
            .map((prefix) => `${s.netns} ${prefix}`);
        }),
      )
    ).flat();
  let missing: string[] = [];
  await eventually('routes at the CEs', async () => {
    missing = await lacking();
    return missing.length === 0 ? true : undefined;
  }).catch(() => undefined);
  const wanted = SITES.reduce((sum, s) => sum + expected(s).length, 0);
  checks.add(
    'bgp-routes-at-ces',
    'P4 P8',
    missing.length === 0,
    missing.length === 0
      ? `${String(SITES.length)} customers' routers have ${String(wanted)} routes of other sites, by BGP from end to end`
      : `missing: ${missing.join(', ')}`,
  );
}

/** Every site pings every other of its VPN, both families; the first round may meet neighbours not resolved yet. */
export async function reachability(lab: Lab, checks: Checks): Promise<void> {
  const pairs = SITES.flatMap((from) =>
    SITES.filter((to) => to.vpn === from.vpn && to.number !== from.number).map((to) => ({
      ...{ from, to },
    })),
  );
  const all = (packets: number): Promise<{ from: Site; to: string; result: PingResult }[]> =>
    Promise.all(
      pairs.flatMap(({ from, to }) =>
        [to.address4, to.address6].map(async (address) => ({
          ...{ from, to: address },
          result: await ping(lab, from, address, packets, ['-i', '0.3']),
        })),
      ),
    );
  await all(1);
  const results = await all(3);
  for (const vpn of VPNS) {
    for (const family of ['ipv4', 'ipv6'] as const) {
      const own = results.filter(
        ({ from, to }) => from.vpn === vpn && to.includes(':') === (family === 'ipv6'),
      );
      const [sent, received] = (['sent', 'received'] as const).map((key) =>
        own.reduce((sum, { result }) => sum + result[key], 0),
      );
      const silent = own.filter(({ result }) => result.received < 3);
      const detail = silent.map(({ from, to }) => `${from.netns} -> ${to}`).join(', ');
      checks.add(
        `ping-${vpn.toLowerCase()}-${family}`,
        'P1 P12',
        silent.length === 0 && own.length === 6,
        `3 sites, ${String(own.length)} ways: ${String(received)}/${String(sent)} answered${detail === '' ? '' : `; not: ${detail}`}`,
      );
    }
  }
}

/** Same addresses in all VPNs: what one site sends is at its own VPN's sites, and at no other's. */
export async function isolation(lab: Lab, dir: string, checks: Checks): Promise<string[]> {
  const [from, to] = [site('A', 1), site('A', 2)];
  const captures = await Promise.all(
    VPNS.map((vpn) => {
      const { netns } = site(vpn, 2);
      return Capture.start(lab, netns, 'eth0', `${dir}/isolation-${netns}.pcap`);
    }),
  );
  await ping(lab, from, to.address4, 5);
  await Promise.all(captures.map((c) => c.stop()));
  const [own = 0, ...others] = captures.map((c) => occurrences(c.file, Buffer.from(PATTERN.A)));
  checks.add(
    'isolation-same-addresses',
    'P13',
    own >= 10 && others.every((n) => n === 0),
    `VPN A's payload at ce-a2, ce-b2, ce-c2, which have the same addresses: ${[own, ...others].join(', ')} times`,
  );
  const inB = await ping(lab, site('B', 1), ONLY_IN_B.host, 3);
  const inA = await ping(lab, from, ONLY_IN_B.host, 3, ['-W', '1']);
  checks.add(
    'only-in-b',
    'P13',
    inB.received === 3 && inA.received === 0,
    `${ONLY_IN_B.host} is only in VPN B: ${String(inB.received)}/3 answered in B, ${String(inA.received)}/3 in A`,
  );
  return captures.map((c) => c.file);
}

/** Addresses that answer along the way; "*" where nothing did. */
async function hops(lab: Lab, from: Site, to: string): Promise<string[]> {
  const six = to.includes(':');
  const source = six ? from.address6 : from.address4;
  const out = await lab.must(from.netns, [
    ...['traceroute', six ? '-6' : '-4', '-n', '-q', '1', '-w', '2', '-m', '8', '-s', source, to],
  ]);
  return [...out.matchAll(/^ *\d+ +(\S+)/gm)].map((m) => m[1] ?? '*');
}

/** Traceroute shows the two PEs' own VRF addresses, and nothing of the core. */
export async function traceroute(lab: Lab, checks: Checks): Promise<void> {
  const [from, near, far] = [site('A', 1), site('A', 2), site('A', 3)];
  for (const [id, to, wanted] of [
    ['ipv4', near.address4, [from.gateway4, near.gateway4, near.address4]],
    ['ipv6', near.address6, [from.gateway6, near.gateway6, near.address6]],
    ['other-sp', far.address4, [from.gateway4, far.gateway4, far.address4]],
  ] as const) {
    const found = await hops(lab, from, to);
    const ok = found.join() === wanted.join();
    checks.add(`traceroute-${id}`, 'P1 P12', ok, `ce-a1 -> ${to}: ${found.join(' -> ')}`);
  }
}

/** A TCP transfer through VPN A, between the providers. */
export async function transfer(lab: Lab, dir: string, checks: Checks): Promise<Throughput> {
  const [from, to] = [site('A', 1), site('A', 3)];
  const server = lab.start(to.netns, ['iperf3', '-s', '-1'], `${dir}/iperf3-server.log`);
  await eventually('iperf3 server', async () => {
    const out = await lab.must(to.netns, ['ss', '-Hltn', 'sport = :5201']);
    return out.includes(':5201') ? true : undefined;
  });
  const seconds = 3;
  const { stdout } = await lab.exec(from.netns, [
    ...['iperf3', '-c', to.address4, '-B', from.address4, '-t', String(seconds), '-J'],
  ]);
  await lab.stop(server);
  const end = (JSON.parse(stdout) as { end?: Record<string, Record<string, number>> }).end;
  const bits = end?.['sum_received']?.['bits_per_second'] ?? 0;
  const bytes = end?.['sum_received']?.['bytes'] ?? 0;
  const tcpRetransmits = end?.['sum_sent']?.['retransmits'] ?? 0;
  const tcpMbps = Math.round(bits / 1e5) / 10;
  checks.add(
    'tcp-transfer',
    'P1 P12',
    bytes > 1e6,
    `ce-a1 -> ce-a3: ${(bytes / 1e6).toFixed(1)} MB, ${String(tcpMbps)} Mbit/s, ${String(tcpRetransmits)} retransmissions`,
  );
  return { tcpMbps, tcpRetransmits, seconds };
}
