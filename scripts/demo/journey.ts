// SPDX-License-Identifier: Apache-2.0
/** One packet's way through each VPN, its headers at each hop as captured. */
import type { Lab } from '../lib/lab.js';
import type { Checks } from './checks.js';
import { Capture } from './captures.js';
import { ping } from './customers.js';
import type { Hop, Journey, Layer } from './findings.js';
import { shape } from './policy.js';
import { knownSas } from './sas.js';
import { NODES, site, type Site, type SiteNumber, type Vpn } from './topology.js';
import { readWire, type WirePacket } from './wire.js';

interface Way {
  readonly vpn: Vpn;
  readonly to: SiteNumber;
  readonly title: string;
  /** Of the payload: tells the packet from others in a capture. */
  readonly size: number;
  /** Headers in the core. */
  readonly shape: string;
}

const WAYS: readonly Way[] = [
  {
    ...{ vpn: 'A', to: 2, size: 101, title: 'VPN A inside provider north' },
    shape: 'ESP, encrypted | GRE | MPLS',
  },
  {
    ...{ vpn: 'B', to: 2, size: 103, title: 'VPN B inside provider north' },
    shape: 'ESP, authenticated | MPLS',
  },
  { ...{ vpn: 'C', to: 2, size: 105, title: 'VPN C inside provider north' }, shape: 'GRE | MPLS' },
  {
    ...{ vpn: 'C', to: 3, size: 107, title: 'VPN C from north to south' },
    shape: 'ESP, encrypted | GRE | MPLS',
  },
];

const ETHERNET = 14;
const IP = 20;
const LABEL = 4;
const GRE = 4;
const ESP_FRONT = 16;
const ICV = 16;

/** The layers of a frame with their bytes, which add up to the frame's. */
export function layersOf(packet: WirePacket): Layer[] {
  const { outer, esp, gre, mpls, inner, frameLength } = packet;
  const cover: Layer['cover'] = esp === undefined || esp.kind === 'closed' ? 'clear' : esp.kind;
  const layers: Layer[] = [
    {
      ...{ name: 'Ethernet', bytes: ETHERNET, cover: 'clear' },
      detail: `${packet.mac.source} → ${packet.mac.destination}`,
    },
  ];
  if (outer !== undefined) {
    const detail = `${outer.source} → ${outer.destination}, ttl ${String(outer.ttl)}`;
    layers.push({ name: 'IPv4', detail, bytes: IP, cover: 'clear' });
  }
  if (esp !== undefined) {
    const detail = `SPI 0x${esp.spi.toString(16).padStart(8, '0')}, sequence ${String(esp.sequence)}`;
    // SPI, sequence number and IV: everybody reads them, nobody changes them.
    const front = cover === 'encrypted' ? 'authenticated' : cover;
    layers.push({ name: 'ESP', detail, bytes: ESP_FRONT, cover: front });
  }
  if (gre) layers.push({ name: 'GRE', detail: 'MPLS unicast', bytes: GRE, cover });
  if (mpls !== undefined) {
    const detail = `label ${String(mpls.label)}, ttl ${String(mpls.ttl)}`;
    layers.push({ name: 'MPLS', detail, bytes: LABEL, cover });
  }
  if (inner !== undefined) {
    const detail = `${inner.source} → ${inner.destination}, ttl ${String(inner.ttl)}`;
    layers.push({
      name: `Customer's IPv${String(inner.family)}`,
      detail,
      bytes: inner.length,
      cover,
    });
  }
  const used = layers.reduce((sum, { bytes }) => sum + bytes, 0);
  if (esp !== undefined && frameLength - used > 0) {
    const bytes = frameLength - used;
    const detail = `padding ${String(bytes - ICV - 2)}, its length and next header 2, ICV ${String(ICV)}`;
    layers.push({ name: 'ESP trailer', detail, bytes, cover });
  }
  return layers;
}

function hopOf(where: string, packets: readonly WirePacket[], size: number): Hop {
  // ICMP's header is 8 bytes.
  const packet = packets.find(
    ({ inner }) => inner?.echoRequest === true && inner.length === IP + 8 + size,
  );
  if (packet === undefined) return { where, bytes: 0, layers: [] };
  return { where, bytes: packet.frameLength, layers: layersOf(packet) };
}

interface Point {
  readonly where: string;
  readonly netns: string;
  readonly link: string;
}

function pointsOf({ vpn, to }: Way): Point[] {
  const [from, far] = [site(vpn, 1), site(vpn, to)];
  const { via } = NODES[far.pe];
  return [
    { where: `${from.netns} sends`, netns: from.netns, link: 'eth0' },
    { where: 'pe1 → p1', netns: 'p1', link: 'to-pe1' },
    { where: `${via} → ${far.pe}`, netns: via, link: `to-${far.pe}` },
    { where: `${far.netns} receives`, netns: far.netns, link: 'eth0' },
  ];
}

/** Sends one echo request on each way and reads it at four points. */
export async function journeys(
  lab: Lab,
  dir: string,
  checks: Checks,
): Promise<{ journeys: Journey[]; files: string[] }> {
  const points = new Map(
    WAYS.flatMap(pointsOf).map((point) => [`${point.netns}-${point.link}`, point]),
  );
  const started = [...points].map(
    async ([key, { netns, link }]) =>
      [key, await Capture.start(lab, netns, link, `${dir}/path-${key}.pcap`)] as const,
  );
  const captures = new Map(await Promise.all(started));
  for (const { vpn, to, size } of WAYS) {
    const from: Site = site(vpn, 1);
    await ping(lab, from, site(vpn, to).address4, 1, ['-s', String(size)]);
  }
  await Promise.all([...captures.values()].map((capture) => capture.stop()));
  const sas = knownSas();
  const read = [...captures].map(
    async ([key, { file }]) => [key, await readWire(file, sas)] as const,
  );
  const wires = new Map(await Promise.all(read));
  const found = WAYS.map((way) => {
    const hops = pointsOf(way).map(({ where, netns, link }) =>
      hopOf(where, wires.get(`${netns}-${link}`) ?? [], way.size),
    );
    return { vpn: way.vpn, title: way.title, hops };
  });
  found.forEach((journey, i) => {
    judge(checks, WAYS[i], journey, wires);
  });
  return { journeys: found, files: [...captures.values()].map(({ file }) => file) };
}

function judge(
  checks: Checks,
  way: Way | undefined,
  { hops }: Journey,
  wires: ReadonlyMap<string, readonly WirePacket[]>,
): void {
  if (way === undefined) return;
  const core = wires.get('p1-to-pe1') ?? [];
  const packet = core.find(
    ({ inner }) => inner?.echoRequest === true && inner.length === IP + 8 + way.size,
  );
  const whole = hops.every(
    ({ bytes, layers }) => bytes > 0 && layers.reduce((sum, l) => sum + l.bytes, 0) === bytes,
  );
  const found = packet === undefined ? 'nothing' : shape(packet);
  checks.add(
    `path-${way.vpn.toLowerCase()}-to-${String(way.to)}`,
    'P1 P12',
    whole && found === way.shape,
    `tshark reads between pe1 and p1: ${found}; frames of ${hops.map(({ bytes }) => String(bytes)).join(', ')} bytes on the way`,
  );
}
