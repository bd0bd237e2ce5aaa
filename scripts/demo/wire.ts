// SPDX-License-Identifier: Apache-2.0
/**
 * What is on the wire between two core routers, as tshark reads it. Encrypted ESP is opened with the keys of
 * --debug-keys. What has no key there may be authenticated alone: then everybody can read it, but for tshark, which has no
 * AES-GMAC; so what is between IV and padding is put into a capture of its own, straight behind the outer IP header, if
 * the octet that says what it is makes sense.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { readPcap, writePcap } from '../../test/lib/pcap.js';
import { dissect, type TsharkSa } from '../../test/lib/tshark.js';

const FIELDS = [
  ...['frame.number', 'frame.len', 'eth.src', 'eth.dst', 'eth.type'],
  ...['ip.src', 'ip.dst', 'ip.ttl', 'ip.proto', 'ip.len', 'ipv6.src', 'ipv6.dst', 'ipv6.hlim'],
  ...['ipv6.plen', 'tcp.port', 'esp.spi', 'esp.sequence', 'gre.proto', 'mpls.label', 'mpls.exp'],
  ...['mpls.bottom', 'mpls.ttl', 'icmp.type', 'icmpv6.type'],
] as const;
type Field = (typeof FIELDS)[number];

export interface InnerPacket {
  readonly family: 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  /** Whole packet, bytes. */
  readonly length: number;
  readonly echoRequest: boolean;
}

/** A frame that carries or may carry a customer's packet. */
export interface WirePacket {
  /** Whole frame without FCS, bytes. */
  readonly frameLength: number;
  readonly mac: { readonly source: string; readonly destination: string };
  /** Of the outer IP header; undefined: there is none. */
  readonly outer:
    | {
        readonly source: string;
        readonly destination: string;
        readonly ttl: number;
        readonly length: number;
      }
    | undefined;
  readonly esp:
    | {
        readonly spi: number;
        readonly sequence: number;
        /** How it could be read; 'closed': not at all. */
        readonly kind: 'encrypted' | 'authenticated' | 'closed';
      }
    | undefined;
  readonly gre: boolean;
  /** A session of routers, not a customer's packet. */
  readonly bgp: boolean;
  readonly mpls: { readonly label: number; readonly ttl: number; readonly tc: number } | undefined;
  /** What the customer sent; in a frame without anything of ours: its IP packet. */
  readonly inner: InnerPacket | undefined;
}

const ESP = 50;
const OUTER = 14 + 20;
const IV_END = 16;
const ICV = 16;
/** GRE, MPLS-in-IP. */
const READABLE: ReadonlySet<number> = new Set([47, 137]);

/** ESP of Ethernet and IPv4 without options, from the SPI on. */
function espOf(frame: Buffer): Buffer | undefined {
  const plain = frame.length > OUTER && frame.readUInt16BE(12) === 0x0800 && frame[14] === 0x45;
  return plain && frame[23] === ESP
    ? frame.subarray(OUTER, 14 + frame.readUInt16BE(16))
    : undefined;
}

function checksum(header: Buffer): number {
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += header.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** The frame without ESP: anybody can do this when nothing is encrypted. Undefined: it makes no sense so. */
function withoutEsp(frame: Buffer, esp: Buffer): Buffer | undefined {
  if (esp.length < IV_END + 2 + ICV) return undefined;
  const end = esp.length - ICV;
  const padding = esp.readUInt8(end - 2);
  if (!READABLE.has(esp.readUInt8(end - 1)) || padding > end - 2 - IV_END) return undefined;
  const payload = esp.subarray(IV_END, end - 2 - padding);
  const header = Buffer.from(frame.subarray(14, OUTER));
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt8(esp.readUInt8(end - 1), 9);
  header.writeUInt16BE(0, 10);
  header.writeUInt16BE(checksum(header), 10);
  return Buffer.concat([frame.subarray(0, 14), header, payload]);
}

function innerOf(row: Readonly<Record<Field, string>>, skip: number): InnerPacket | undefined {
  const at = (field: Field, i: number): string => row[field].split(',')[i] ?? '';
  if (row['ipv6.src'] !== '') {
    return {
      ...{ family: 6, source: at('ipv6.src', 0), destination: at('ipv6.dst', 0) },
      ...{ ttl: Number(at('ipv6.hlim', 0)), length: 40 + Number(at('ipv6.plen', 0)) },
      echoRequest: row['icmpv6.type'].split(',')[0] === '128',
    };
  }
  if (at('ip.src', skip) === '') return undefined;
  return {
    ...{ family: 4, source: at('ip.src', skip), destination: at('ip.dst', skip) },
    ...{ ttl: Number(at('ip.ttl', skip)), length: Number(at('ip.len', skip)) },
    echoRequest: row['icmp.type'].split(',')[0] === '8',
  };
}

function packetOf(
  row: Readonly<Record<Field, string>>,
  stripped: Readonly<Record<Field, string>> | undefined,
): WirePacket {
  const first = (field: Field, from = row): string => from[field].split(',')[0] ?? '';
  const content = stripped ?? row;
  const label = first('mpls.label', content);
  const spi = first('esp.spi');
  const tunnelled = spi !== '' || label !== '' || first('gre.proto', content) !== '';
  const plainMpls = first('eth.type') === '0x8847' || first('eth.type') === '34887';
  const outer = tunnelled && !plainMpls && first('ip.src') !== '';
  const bgp = label === '' && row['tcp.port'].split(',').includes('179');
  const kind =
    stripped !== undefined ? 'authenticated' : label === '' && !bgp ? 'closed' : 'encrypted';
  return {
    frameLength: Number(first('frame.len')),
    mac: { source: first('eth.src'), destination: first('eth.dst') },
    outer: outer
      ? {
          ...{ source: first('ip.src'), destination: first('ip.dst') },
          ...{ ttl: Number(first('ip.ttl')), length: Number(first('ip.len')) },
        }
      : undefined,
    esp:
      spi === '' ? undefined : { spi: Number(spi), sequence: Number(first('esp.sequence')), kind },
    ...{ gre: first('gre.proto', content) !== '', bgp },
    mpls:
      label === ''
        ? undefined
        : {
            ...{ label: Number(label), ttl: Number(first('mpls.ttl', content)) },
            tc: Number(first('mpls.exp', content)),
          },
    inner: innerOf(content, outer ? 1 : 0),
  };
}

/** The frames of a capture that are or may be a customer's, and BGP: not IKE, ARP and the like. */
export async function readWire(file: string, sas: readonly TsharkSa[]): Promise<WirePacket[]> {
  const encrypting = new Set(sas.map(({ spi }) => spi));
  const frames = readPcap(readFileSync(file));
  const opened: Buffer[] = [];
  /** Number of the frame without ESP, by number of the frame with it; from 1. */
  const twin = new Map<number, number>();
  frames.forEach((frame, i) => {
    const esp = espOf(frame);
    if (esp === undefined || encrypting.has(esp.readUInt32BE(0))) return;
    const plain = withoutEsp(frame, esp);
    if (plain !== undefined) twin.set(i + 1, opened.push(plain));
  });
  const filter = 'esp || mpls || gre || icmp || icmpv6 || tcp.port == 179';
  const strippedFile = `${file.replace(/\.pcap$/, '')}-authenticated.pcap`;
  writeFileSync(strippedFile, writePcap(opened));
  const [rows, stripped] = await Promise.all([
    dissect(file, FIELDS, { sas, filter }),
    opened.length === 0 ? [] : dissect(strippedFile, FIELDS),
  ]);
  return rows.map((row) =>
    packetOf(row, stripped[(twin.get(Number(row['frame.number'])) ?? 0) - 1]),
  );
}
