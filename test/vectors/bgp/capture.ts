// SPDX-License-Identifier: Apache-2.0
/**
 * Writes speakers.json: the BGP messages that FRR, GoBGP and BIRD send each other, in order, as hexadecimal.
 * Run as root, with frr, gobgpd and bird2 installed:
 *
 *   node scripts/lib/run-ts.mjs test/vectors/bgp/capture.ts
 *
 *     GoBGP 2 ---- GoBGP 1 ---- FRR (reflector) ---- BIRD
 *     10.1.3.3  10.1.3.2 10.1.1.2  10.1.1.1 10.1.2.1  10.1.2.2
 *
 * All in AS 65001. GoBGP 1 and BIRD originate routes with attributes of every kind; what FRR sends to BIRD is
 * GoBGP's routes in FRR's encoding, reflected. FRR also opens a session by RFC 9072 to a mute listener. Between the two GoBGP: path identifiers and route targets.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { eventually, Lab, outcome } from '../../../scripts/lib/lab.js';
import { startBgpPeer } from '../../lib/bgp-peers.js';

const folder = mkdtempSync(`${tmpdir()}/slc-bgp-`);
const lab = await Lab.open('slc-bgp');

const GOBGP_FAMILIES = ['ipv4-unicast', 'ipv6-unicast', 'l3vpn-ipv4-unicast', 'l3vpn-ipv6-unicast'];

function gobgpNeighbour(address: string, families: readonly string[], paths: boolean): string {
  const families_ = families.map((name) =>
    [
      '  [[neighbors.afi-safis]]',
      '    [neighbors.afi-safis.config]',
      `      afi-safi-name = "${name}"`,
      ...(paths && name !== 'rtc'
        ? [
            '    [neighbors.afi-safis.add-paths.config]',
            '      receive = true',
            '      send-max = 4',
          ]
        : []),
      '    [neighbors.afi-safis.mp-graceful-restart.config]',
      '      enabled = true',
      ...(name === 'rtc'
        ? []
        : [
            '    [neighbors.afi-safis.long-lived-graceful-restart.config]',
            '      enabled = true',
            '      restart-time = 3600',
          ]),
    ].join('\n'),
  );
  return [
    '[[neighbors]]',
    '  [neighbors.config]',
    `    neighbor-address = "${address}"`,
    '    peer-as = 65001',
    '  [neighbors.timers.config]',
    '    connect-retry = 1',
    '  [neighbors.graceful-restart.config]',
    '    enabled = true',
    '    restart-time = 120',
    '    notification-enabled = true',
    '    long-lived-enabled = true',
    ...(paths
      ? ['  [neighbors.route-reflector.config]', '    route-reflector-client = true']
      : []),
    ...families_,
    '',
  ].join('\n');
}

const gobgpGlobal = (id: string): string =>
  ['[global.config]', '  as = 65001', `  router-id = "${id}"`, ''].join('\n');

/** Takes one connection and prints what comes within two seconds. */
const LISTENER = `
import socket, sys, time
server = socket.create_server(('10.1.4.2', 179))
client, _ = server.accept()
client.settimeout(2)
data = b''
try:
    while True:
        more = client.recv(65536)
        if not more: break
        data += more
except TimeoutError:
    pass
print(data.hex())
`;

const FRR = [
  'router bgp 65001',
  ' bgp router-id 10.1.1.1',
  ' bgp cluster-id 10.9.9.9',
  ' no bgp default ipv4-unicast',
  ' neighbor 10.1.1.2 remote-as 65001',
  ' neighbor 10.1.2.2 remote-as 65001',
  ' neighbor 10.1.2.2 capability extended-nexthop',
  ' neighbor 10.1.4.2 remote-as 65001',
  ' neighbor 10.1.4.2 extended-optional-parameters',
  ...['ipv4 unicast', 'ipv6 unicast', 'ipv4 vpn', 'ipv6 vpn'].flatMap((family) => [
    ` address-family ${family}`,
    '  neighbor 10.1.1.2 activate',
    '  neighbor 10.1.1.2 route-reflector-client',
    '  neighbor 10.1.2.2 activate',
    '  neighbor 10.1.2.2 route-reflector-client',
    '  neighbor 10.1.4.2 activate',
    ' exit-address-family',
  ]),
  '',
].join('\n');

const BIRD = `
router id 10.1.2.2;
protocol device {}
ipv4 table t4; ipv6 table t6; vpn4 table v4; vpn6 table v6;
protocol static { ipv4 { table t4; }; route 10.20.0.0/17 blackhole { bgp_community.add((65001,20)); }; }
protocol static { ipv6 { table t6; }; route 2001:db8:20::/47 blackhole; }
protocol static { vpn4 { table v4; }; route 65001:20 10.21.0.0/20 blackhole {
  bgp_ext_community.add((rt, 65001, 100)); bgp_ext_community.add((ro, 10.0.0.1, 7));
  bgp_large_community.add((65001, 1, 2)); bgp_path.prepend(4200000000); bgp_med = 77; }; }
protocol static { vpn6 { table v6; }; route 10.0.0.1:20 2001:db8:21::/48 blackhole {
  bgp_ext_community.add((rt, 4200000000, 100)); }; }
protocol bgp peer {
  local 10.1.2.2 as 65001; neighbor 10.1.2.1 as 65001;
  connect delay time 1; enable extended messages on;
  long lived graceful restart on;
  ipv4 { table t4; import all; export all; next hop self; extended next hop on; };
  ipv6 { table t6; import all; export all; next hop address 2001:db8:2::2; };
  vpn4 mpls { table v4; import all; export all; next hop self; extended next hop on; };
  vpn6 mpls { table v6; import all; export all; next hop address 2001:db8:2::2; };
}
`;

interface Segment {
  readonly stream: string;
  readonly source: string;
  readonly seq: number;
  readonly data: Buffer;
}

/** Messages in the order of their bytes, by sender; retransmitted segments are dropped. */
async function messagesOf(file: string): Promise<Map<string, string[]>> {
  const fields = ['tcp.stream', 'ip.src', 'tcp.seq', 'tcp.payload'].flatMap((name) => ['-e', name]);
  const filter = 'tcp.port == 179 && tcp.len > 0';
  const { stdout } = await outcome(['tshark', '-r', file, '-Y', filter, '-T', 'fields', ...fields]);
  const bySender = new Map<string, Segment[]>();
  for (const line of stdout.split('\n').filter((text) => text !== '')) {
    const [stream = '', source = '', seq = '', payload = ''] = line.split('\t');
    const key = `${source} ${stream}`;
    const data = Buffer.from(payload.replaceAll(':', ''), 'hex');
    bySender.set(key, [...(bySender.get(key) ?? []), { stream, source, seq: Number(seq), data }]);
  }
  const messages = new Map<string, string[]>();
  for (const segments of bySender.values()) {
    segments.sort((a, b) => a.seq - b.seq);
    let next = segments[0]?.seq ?? 0;
    const parts: Buffer[] = [];
    for (const { seq, data } of segments) {
      if (seq < next) continue;
      parts.push(data);
      next = seq + data.length;
    }
    const octets = Buffer.concat(parts);
    const source = segments[0]?.source ?? '';
    const list = messages.get(source) ?? [];
    for (let at = 0; at + 19 <= octets.length; at += octets.readUInt16BE(at + 16)) {
      list.push(octets.subarray(at, at + octets.readUInt16BE(at + 16)).toString('hex'));
    }
    messages.set(source, list);
  }
  return messages;
}

try {
  for (const name of ['slc-f', 'slc-g', 'slc-h', 'slc-b', 'slc-r']) await lab.namespace(name);
  await lab.link('slc-f', 'to-g', 'slc-g', 'to-f');
  await lab.link('slc-f', 'to-b', 'slc-b', 'to-f');
  await lab.link('slc-g', 'to-h', 'slc-h', 'to-g');
  await lab.ip('slc-f', ['addr add 10.1.1.1/24 dev to-g', 'addr add 10.1.2.1/24 dev to-b']);
  await lab.ip('slc-g', ['addr add 10.1.1.2/24 dev to-f', 'addr add 10.1.3.2/24 dev to-h']);
  await lab.ip('slc-h', ['addr add 10.1.3.3/24 dev to-g']);
  await lab.ip('slc-b', ['addr add 10.1.2.2/24 dev to-f', '-6 addr add 2001:db8:2::2/64 dev to-f nodad']);
  await lab.ip('slc-f', ['-6 addr add 2001:db8:2::1/64 dev to-b nodad']);
  await lab.link('slc-f', 'to-r', 'slc-r', 'to-f');
  await lab.ip('slc-f', ['addr add 10.1.4.1/24 dev to-r']);
  await lab.ip('slc-r', ['addr add 10.1.4.2/24 dev to-f']);
  const extended = lab.exec('slc-r', ['/usr/bin/python3', '-c', LISTENER], { timeoutMs: 60_000 });
  const captures = [
    ['slc-f', 'to-g'],
    ['slc-f', 'to-b'],
    ['slc-h', 'to-g'],
  ].map(([netns = '', device = '']) => {
    const file = `${folder}/${netns}-${device}.pcap`;
    const child = lab.start(netns, ['tcpdump', '-U', '-i', device, '-w', file, 'tcp'], `${file}.log`);
    return { file, child };
  });
  const gobgp = await startBgpPeer(lab, 'gobgp', {
    ...{ netns: 'slc-g', name: 'gobgp1', folder },
    config:
      gobgpGlobal('10.1.1.2') +
      gobgpNeighbour('10.1.1.1', GOBGP_FAMILIES, false) +
      gobgpNeighbour('10.1.3.3', [...GOBGP_FAMILIES, 'ipv4-labelled-unicast', 'rtc'], true),
  });
  const gobgp2 = await startBgpPeer(lab, 'gobgp', {
    ...{ netns: 'slc-h', name: 'gobgp2', folder },
    config:
      gobgpGlobal('10.1.3.3') +
      gobgpNeighbour('10.1.3.2', [...GOBGP_FAMILIES, 'ipv4-labelled-unicast', 'rtc'], true),
  });
  const frr = await startBgpPeer(lab, 'frr', { netns: 'slc-f', name: 'frr', folder, config: FRR });
  const bird = await startBgpPeer(lab, 'bird', {
    ...{ netns: 'slc-b', name: 'bird', folder, config: BIRD },
  });
  await gobgp2.command('vrf add blue rd 65001:9 rt both 65001:100');
  for (const text of [
    '10.30.0.0/16 origin egp aspath 7018,{65010,65011} med 5 local-pref 150 community 65001:30,no-export aggregator 65010:192.0.2.7',
    '10.31.0.0/17 origin incomplete large-community 65001:4000000000:3',
    '-a ipv6 2001:db8:30::/44 nexthop 2001:db8:1::2',
    '-a vpnv4 10.32.0.0/18 label 100 rd 65001:30 rt 65001:100 192.0.2.1:101 4200000000:102 local-pref 99',
    '-a vpnv4 10.33.0.0/24 label 101 rd 10.0.0.1:31 rt 65001:100 aspath 4200000001',
    '-a vpnv6 2001:db8:32::/45 label 102 rd 65001:30 rt 65001:100 nexthop 2001:db8:1::2',
    '-a ipv4-mpls 10.34.0.0/16 500',
  ]) {
    await gobgp.command(`global rib add ${text}`);
  }
  await gobgp.waitEstablished('10.1.1.1');
  await gobgp2.waitEstablished('10.1.3.2');
  await bird.waitEstablished('10.1.2.1');
  await eventually('BIRD has routes of GoBGP', async () =>
    (await bird.command('show route all')).includes('10.33.0.0/24') ? true : undefined,
  );
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await gobgp.command('global rib del -a vpnv4 10.33.0.0/24 label 101 rd 10.0.0.1:31');
  await gobgp.command('global rib del 10.31.0.0/17');
  await gobgp.command('neighbor 10.1.3.3 softresetin');
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await gobgp.command('neighbor 10.1.1.1 shutdown maintenance-7').catch(() => '');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  for (const { child } of captures) await lab.stop(child);
  const [toGobgp, toBird, betweenGobgp] = await Promise.all(
    captures.map(({ file }) => messagesOf(file)),
  );
  const versions = [
    (await frr.command('show version')).split('\n')[0],
    (await outcome(['/usr/bin/gobgpd', '--version'])).stdout.trim(),
    (await outcome(['/usr/sbin/bird', '--version'])).stderr.trim(),
  ];
  const result = {
    speakers: versions,
    sessions: [
      { from: 'GoBGP to FRR', messages: toGobgp?.get('10.1.1.2') ?? [] },
      { from: 'FRR to GoBGP', messages: toGobgp?.get('10.1.1.1') ?? [] },
      { from: 'FRR to BIRD', messages: toBird?.get('10.1.2.1') ?? [] },
      { from: 'BIRD to FRR', messages: toBird?.get('10.1.2.2') ?? [] },
      { from: 'GoBGP 1 to GoBGP 2', messages: betweenGobgp?.get('10.1.3.2') ?? [] },
      { from: 'FRR, extended optional parameters', messages: [(await extended).stdout.trim()] },
      { from: 'GoBGP 2 to GoBGP 1', messages: betweenGobgp?.get('10.1.3.3') ?? [] },
    ],
  };
  const target = fileURLToPath(new URL('speakers.json', import.meta.url));
  writeFileSync(target, `${JSON.stringify(result, null, 1)}\n`);
} finally {
  await lab.close();
  rmSync(folder, { recursive: true, force: true });
}
