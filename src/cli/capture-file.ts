// SPDX-License-Identifier: Apache-2.0
/** Captured frames as a pcapng file: an interface per name and kind of link, described when it first appears. */
import type { CapturedFrame, CaptureReply } from '../rpc/capture-client.js';
import {
  enhancedPacket,
  interfaceDescription,
  interfaceStatistics,
  LINK_TYPES,
  sectionHeader,
} from './pcapng.js';

interface Source {
  readonly id: number;
  readonly name: string;
  readonly linkType: number;
  packets: bigint;
  lost: bigint;
}

/** Of frames that came by no interface that is known. */
const NO_INTERFACE = '(none)';

const DESCRIPTIONS = new Map<number, string>([
  [LINK_TYPES.ip, 'from the IP header on'],
  [LINK_TYPES.chdlc, 'from the VPN label on; the four octets before it were never there'],
]);

export class CaptureFile {
  readonly #snapLength: number;
  readonly #sources = new Map<string, Source>();
  #packets = 0n;
  #lost = 0n;

  constructor(snapLength: number) {
    this.#snapLength = snapLength;
  }

  get packets(): bigint {
    return this.#packets;
  }
  get lost(): bigint {
    return this.#lost;
  }

  begin(version: string): Buffer {
    return sectionHeader(`Sealane ${version}`);
  }

  /** Blocks of a reply; what was lost is kept for the end. */
  add({ frames, lost }: CaptureReply): Buffer {
    const blocks = frames.flatMap((frame) => this.#packet(frame));
    for (const { interface: name, linkType, packets } of lost) {
      const { source, described } = this.#source(name, linkType);
      blocks.push(...described);
      source.lost += packets;
      this.#lost += packets;
    }
    return Buffer.concat(blocks);
  }

  /** Statistics of every interface. */
  end(timeNs: bigint): Buffer {
    return Buffer.concat(
      [...this.#sources.values()].map(({ id, packets, lost }) =>
        interfaceStatistics({
          ...{ interfaceId: id, timeNs },
          ...{ received: packets + lost, dropped: lost },
        }),
      ),
    );
  }

  #packet(frame: CapturedFrame): Buffer[] {
    const { source, described } = this.#source(frame.interface, frame.linkType);
    const { timeNs, direction } = frame;
    const { data, length } = inFront(frame);
    source.packets++;
    this.#packets++;
    const comment = commentOf(frame);
    const one = { interfaceId: source.id, timeNs, data, length, direction, comment };
    return [...described, enhancedPacket(one)];
  }

  #source(interfaceName: string, from: number): { source: Source; described: Buffer[] } {
    const linkType = from === LINK_TYPES.mpls ? LINK_TYPES.chdlc : from;
    const name = interfaceName === '' ? NO_INTERFACE : interfaceName;
    const key = `${linkType} ${name}`;
    const known = this.#sources.get(key);
    if (known !== undefined) return { source: known, described: [] };
    const source = { id: this.#sources.size, name, linkType, packets: 0n, lost: 0n };
    this.#sources.set(key, source);
    const description = DESCRIPTIONS.get(linkType) ?? '';
    const snapLength = this.#snapLength;
    return {
      source,
      described: [interfaceDescription({ linkType, snapLength, name, description })],
    };
  }
}

/** Cisco HDLC, unicast, EtherType of MPLS: Wireshark knows no MPLS without a link. */
const MPLS_LINK = Buffer.from([0x0f, 0x00, 0x88, 0x47]);

function inFront({ linkType, data, length }: CapturedFrame): { data: Uint8Array; length: number } {
  if (linkType !== LINK_TYPES.mpls) return { data, length };
  return { data: Buffer.concat([MPLS_LINK, data]), length: length + MPLS_LINK.length };
}

/** "drop no_route: no route in the VRF; vrf a". */
function commentOf({ dropReason, dropText, vrf }: CapturedFrame): string {
  return [
    ...(dropReason === '' ? [] : [`drop ${dropReason}: ${dropText}`]),
    ...(vrf === '' ? [] : [`vrf ${vrf}`]),
  ].join('; ');
}
