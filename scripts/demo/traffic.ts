// SPDX-License-Identifier: Apache-2.0
/** What customers do in the demo: ping, traceroute, a TCP transfer; and what must not work. */
import { eventually, type Lab } from '../lib/lab.js';
import type { Checks } from './checks.js';
import { Capture, count, occurrences } from './captures.js';
import { drops, type PeProcess } from './pe.js';
import { ONLY_IN_B, PES, SITES, type Site } from './topology.js';

/** Ping payloads, 16 bytes each, by which a packet is recognised in a capture. */
export const PATTERN = { A: 'SEALANE-A-SECRET', B: 'SEALANE-B-SECRET' } as const;

export interface PingResult {
  readonly sent: number;
  readonly received: number;
  readonly rttMs: number; // average; NaN without an answer
  readonly output: string;
}

/** `count` echo requests, five a second, with the VPN's pattern. */
export async function ping(
  lab: Lab,
  from: Site,
  to: string,
  packets: number,
  extra: readonly string[] = [],
): Promise<PingResult> {
  const pattern = Buffer.from(PATTERN[from.vpn]).toString('hex');
  const options = ['-n', '-c', String(packets), '-i', '0.2', '-W', '2', '-p', pattern, ...extra];
  const { stdout, stderr } = await lab.exec(from.netns, ['ping', ...options, to]);
  const counts = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  const rtt = /rtt [^=]*= [\d.]+\/([\d.]+)\//.exec(stdout);
  return {
    sent: Number(counts?.[1] ?? 0),
    received: Number(counts?.[2] ?? 0),
    rttMs: Number(rtt?.[1] ?? NaN),
    output: stdout + stderr,
  };
}

/** Pings both ways, both families, in both VPNs; and records what the other VPN sees meanwhile. */
export async function reachability(lab: Lab, dir: string, checks: Checks): Promise<string[]> {
  const other = await Promise.all(
    [SITES.b1, SITES.b2].map((s) =>
      Capture.start(lab, s.netns, 'eth0', `${dir}/isolation-${s.netns}.pcap`),
    ),
  );
  for (const [vpn, near, far] of [
    ['A', SITES.a1, SITES.a2],
    ['B', SITES.b1, SITES.b2],
  ] as const) {
    for (const [id, from, to] of [
      ['ipv4', near, far.address4],
      ['ipv4-back', far, near.address4],
      ['ipv6', near, far.address6],
      ['ipv6-back', far, near.address6],
    ] as const) {
      const r = await ping(lab, from, to, 5);
      const detail = `${from.netns} -> ${to}: ${String(r.received)}/${String(r.sent)} answered, ${r.rttMs.toFixed(2)} ms`;
      checks.add(`ping-${vpn.toLowerCase()}-${id}`, 'P1 P12', r.received === 5, detail);
    }
  }
  await Promise.all(other.map((c) => c.stop()));
  const leaked = other.reduce((n, c) => n + occurrences(c.file, Buffer.from(PATTERN.A)), 0);
  const own = other.reduce((n, c) => n + occurrences(c.file, Buffer.from(PATTERN.B)), 0);
  checks.add(
    'isolation-same-addresses',
    'P13',
    leaked === 0 && own > 0,
    `at B's sites, which use A's addresses: ${String(leaked)} packets of A, ${String(own)} payloads of B`,
  );
  return other.map((c) => c.file);
}

/** A host that exists in one VPN only is reached there and nowhere else. */
export async function isolation(lab: Lab, checks: Checks): Promise<void> {
  const inB = await ping(lab, SITES.b1, ONLY_IN_B, 3);
  checks.add(
    'only-in-b-from-b',
    'P1',
    inB.received === 3,
    `ce-b1 -> ${ONLY_IN_B}: ${String(inB.received)}/3 answered`,
  );
  const fromA = await ping(lab, SITES.a1, ONLY_IN_B, 3);
  const refused = /From (\S+) icmp_seq=\d+ Destination Net Unreachable/.exec(fromA.output)?.[1];
  checks.add(
    'only-in-b-from-a',
    'P13',
    fromA.received === 0 && refused === SITES.a1.gateway4,
    `ce-a1 -> ${ONLY_IN_B}: ${String(fromA.received)}/3 answered, "net unreachable" from ${refused ?? 'nobody'}`,
  );
}

/** Addresses that answer along the way; "*" where nothing did. */
async function hops(lab: Lab, from: Site, to: string): Promise<string[]> {
  const family = to.includes(':') ? '-6' : '-4';
  const out = await lab.must(from.netns, [
    'traceroute',
    family,
    '-n',
    '-q',
    '1',
    '-w',
    '2',
    '-m',
    '8',
    to,
  ]);
  return [...out.matchAll(/^ *\d+ +(\S+)/gm)].map((m) => m[1] ?? '*');
}

/** Traceroute shows the two PEs' own VRF addresses, and nothing of the core. */
export async function traceroute(lab: Lab, checks: Checks): Promise<void> {
  for (const [id, to, expected] of [
    ['ipv4', SITES.a2.address4, [SITES.a1.gateway4, SITES.a2.gateway4, SITES.a2.address4]],
    ['ipv6', SITES.a2.address6, [SITES.a1.gateway6, SITES.a2.gateway6, SITES.a2.address6]],
  ] as const) {
    const found = await hops(lab, SITES.a1, to);
    const ok = found.join() === expected.join();
    checks.add(`traceroute-${id}`, 'P1 P12', ok, `ce-a1 -> ${to}: ${found.join(' -> ')}`);
  }
}

export interface Throughput {
  readonly tcpMbps: number;
  readonly tcpRetransmits: number;
  readonly seconds: number;
}

/** A TCP transfer through VPN A. */
export async function transfer(lab: Lab, dir: string, checks: Checks): Promise<Throughput> {
  const server = lab.start('ce-a2', ['iperf3', '-s', '-1'], `${dir}/iperf3-server.log`);
  await eventually('iperf3 server', async () => {
    const out = await lab.must('ce-a2', ['ss', '-Hltn', 'sport = :5201']);
    return out.includes(':5201') ? true : undefined;
  });
  const seconds = 3;
  const { stdout } = await lab.exec('ce-a1', [
    ...['iperf3', '-c', SITES.a2.address4, '-t', String(seconds), '-J'],
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
    `ce-a1 -> ce-a2: ${(bytes / 1e6).toFixed(1)} MB, ${String(tcpMbps)} Mbit/s, ${String(tcpRetransmits)} retransmissions`,
  );
  return { tcpMbps, tcpRetransmits, seconds };
}

/** Packets changed on their way by the router: none delivered, each counted. */
export async function tamper(lab: Lab, checks: Checks, pe2: PeProcess): Promise<void> {
  const before = await drops(lab, pe2);
  const rule = `ip protocol esp ip daddr ${PES.pe2.tunnel4} @th,256,32 set 0x5a5a5a5a`;
  await lab.must('p', ['nft', '-f', '-'], {
    input: `table ip demo {\n chain tamper {\n type filter hook forward priority 0;\n ${rule}\n }\n}\n`,
  });
  const r = await ping(lab, SITES.a1, SITES.a2.address4, 10, ['-W', '1']);
  await lab.must('p', ['nft', 'delete', 'table', 'ip', 'demo']);
  const risen = (await drops(lab, pe2)).get('esp_auth_failed') ?? 0;
  const delta = risen - (before.get('esp_auth_failed') ?? 0);
  const after = await ping(lab, SITES.a1, SITES.a2.address4, 3);
  checks.add(
    'attack-modified-in-transit',
    'P15',
    r.received === 0 && delta === 10 && after.received === 3,
    `10 packets changed by the router: ${String(r.received)} answered, esp_auth_failed +${String(delta)}; then ${String(after.received)}/3 answered`,
  );
}

/** What the eavesdropper's capture holds. */
export async function eavesdropper(file: string, checks: Checks): Promise<string[]> {
  const a = occurrences(file, Buffer.from(PATTERN.A));
  const b = occurrences(file, Buffer.from(PATTERN.B));
  const esp4 = await count(file, 'ip.proto == 50');
  const esp6 = await count(file, 'ipv6.nxt == 50');
  const clear = await count(
    file,
    `(gre || mpls || ip.proto == 137 || ipv6.nxt == 137 || ip.addr == 10.0.0.0/8) && !esp`,
  );
  checks.add(
    'eavesdropper-encrypted',
    'P6 P9',
    a === 0 && esp4 > 0,
    `VPN A: ${String(esp4)} ESP packets, its payload seen ${String(a)} times`,
  );
  checks.add(
    'eavesdropper-authenticated',
    'P6 P9',
    b > 0 && esp6 > 0,
    `VPN B, authenticated only: ${String(esp6)} ESP packets, its payload seen ${String(b)} times, as its policy says`,
  );
  checks.add(
    'eavesdropper-no-clear',
    'P1',
    clear === 0,
    `${String(clear)} customer packets outside ESP`,
  );
  const bgp = await count(file, 'bgp');
  return [
    `${String(bgp)} packets of BGP between the PEs, readable: routes and labels, which open nothing without a key`,
    `${String(esp4)} ESP packets over IPv4 (VPN A): SPI, sequence number, length; payload readable: ${a === 0 ? 'never' : `${String(a)} times`}`,
    `${String(esp6)} ESP packets over IPv6 (VPN B): payload readable, as "authenticate" means; changing it is not possible`,
    `${String(clear)} customer packets outside ESP`,
  ];
}
