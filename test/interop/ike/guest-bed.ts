// SPDX-License-Identifier: Apache-2.0
/**
 * strongSwan in a guest whose kernel has ESP, and our end of the wire in a namespace: tunnels with GRE and with
 * protocol 137 to the guest, behind each a VRF with a customer host, which answers pings.
 */
import { outcome } from '../../../scripts/lib/lab.js';
import { Charon, type CharonOptions, guestSite } from '../../lib/strongswan.js';
import { etherTypeOf, gre, ip, labelEntry, PROTOCOL } from '../../lib/packets.js';
import { checksum, ETHERTYPE } from '../../lib/packets.js';
import { bootLinuxPe, type LinuxPe } from '../linux-pe/linux-pe.js';
import { makeWire, type Wire } from '../linux-pe/wire.js';
import { OURS, THEIRS } from './bed.js';

export const ENCAPS = ['gre', 'ip'] as const;
export type Encap = (typeof ENCAPS)[number];
/** IP protocol of each. */
export const PROTOCOLS = { gre: PROTOCOL.gre, ip: PROTOCOL.mpls } as const;

export interface GuestBed {
  readonly wire: Wire;
  /** Our namespace. */
  readonly us: string;
  readonly guest: LinuxPe;
  readonly charon: Charon;
  /** Nothing crosses the wire while it is cut. */
  cut(isCut: boolean): Promise<void>;
  close(): Promise<void>;
}

/** Label that the guest expects, and that it sends. */
const LABEL_IN = 2000;
const LABEL_OUT = 1000;

export async function openGuestBed(prefix: string, options: CharonOptions = {}): Promise<GuestBed> {
  const wire = await makeWire(prefix);
  const us = wire.a.netns;
  const run = async (...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await outcome(['ip', '-n', us, ...args]);
    if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
  };
  await run('link', 'set', 'lo', 'up');
  await run('addr', 'add', `${OURS}/24`, 'dev', wire.a.nic);
  const { netns, nic } = wire.b;
  const guest = await bootLinuxPe({
    ...{ name: netns, netns, nics: [nic] },
    config: {
      underlay: [{ nic, address: `${THEIRS}/24` }],
      sas: [],
      tunnels: ENCAPS.map((encap, t) => ({
        ...{ name: `t${String(t)}`, encap, protection: 'ike', local: THEIRS, remote: OURS },
        inner: [{ local: `10.255.${String(t)}.2`, nextHop: `10.255.${String(t)}.1` }],
      })),
      vrfs: ENCAPS.map((encap, t) => ({
        ...{ name: encap, table: 10 + t, labelsIn: [LABEL_IN + t] },
        customer: [{ pe: `10.2.${String(t)}.1/24`, host: `10.2.${String(t)}.2/24` }],
        routes: [
          { prefix: `10.1.${String(t)}.0/24`, label: LABEL_OUT + t, tunnel: `t${String(t)}` },
        ],
      })),
    },
  });
  const charon = await Charon.start(guestSite(guest), options);
  return {
    ...{ wire, us, guest, charon },
    cut: (isCut) => run('link', 'set', wire.a.nic, isCut ? 'down' : 'up'),
    async close() {
      await guest.stop();
      await wire.remove();
    },
  };
}

/** | type 8 | code 0 | checksum 2 | identifier 2 | sequence 2 | data | */
function echo(sequence: number): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.writeUInt8(8, 0);
  bytes.writeUInt16BE(0x5ea1, 4);
  bytes.writeUInt16BE(sequence, 6);
  bytes.writeUInt16BE(checksum(bytes), 2);
  return bytes;
}

/** What ESP carries to the guest so that the customer host behind the tunnel is pinged. */
export function pingOf(encap: Encap, sequence: number): Buffer {
  const t = ENCAPS.indexOf(encap);
  const packet = ip({
    ...{ source: `10.1.${String(t)}.2`, destination: `10.2.${String(t)}.2` },
    ...{ protocol: PROTOCOL.icmp, payload: echo(sequence) },
  });
  const labelled = Buffer.concat([labelEntry(LABEL_IN + t, { ttl: 64 }), packet]);
  return encap === 'gre' ? gre(labelled) : labelled;
}

/** Sequence number of the echo reply that ESP carried; undefined: it is something else. */
export function pongIn(encap: Encap, payload: Buffer): number | undefined {
  const t = ENCAPS.indexOf(encap);
  const at = encap === 'gre' ? 4 : 0;
  if (encap === 'gre' && payload.readUInt32BE(0) !== ETHERTYPE.mpls) return undefined;
  if (payload.readUInt32BE(at) >>> 12 !== LABEL_OUT + t) return undefined;
  const packet = payload.subarray(at + 4);
  if (etherTypeOf(packet) !== ETHERTYPE.ip4 || packet[9] !== PROTOCOL.icmp) return undefined;
  return packet[20] === 0 ? packet.readUInt16BE(26) : undefined;
}
