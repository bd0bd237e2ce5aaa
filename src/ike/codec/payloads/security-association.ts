// SPDX-License-Identifier: Apache-2.0
/**
 * Security Association payload (RFC 7296 §3.3): proposals one behind the other, each
 *
 *                         1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Last Substruc |   RESERVED    |         Proposal Length       |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Proposal Num  |  Protocol ID  |    SPI Size   |Num  Transforms|
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                        SPI (variable)                         ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    ~                        <Transforms>  (transform.ts)           ~
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * Last Substruc is 0 for the last proposal and 2 for the others; the length counts its own header.
 */
import { type ByteWriter, u16, u8 } from '../../../lib/octets.js';
import { type IkeFault, invalidSyntax, isFault } from '../fault.js';
import { LIMITS } from '../limits.js';
import { inOctet, must, type PayloadCodec } from '../payload-codec.js';
import { decodeTransforms, encodeTransform, type Transform } from './transform.js';

export interface Proposal {
  /** 1 for the first that is offered, then one more each; in an answer that of the chosen one. */
  readonly number: number;
  readonly protocol: number;
  /** IKE: none, or eight octets for a rekey; AH and ESP: four. */
  readonly spi: Uint8Array;
  /** May be empty, and have types that are nobody's: whether it is acceptable is policy. */
  readonly transforms: readonly Transform[];
}

export interface SecurityAssociation {
  /** At least one. */
  readonly proposals: readonly Proposal[];
}

const PROPOSAL_HEADER = 8;
const LAST = 0;
const MORE = 2;

/** SPI sizes by protocol (RFC 7296 §3.3.1); protocols that are not here have any. */
const SPI_SIZES: Readonly<Record<number, readonly number[]>> = { 1: [0, 8], 2: [4], 3: [4] };

const spiSizeFits = (protocol: number, size: number): boolean =>
  SPI_SIZES[protocol]?.includes(size) ?? true;

/** The proposal at `at`, with at least its header before `end`; `length` is what it says itself. */
function decodeProposal(bytes: Uint8Array, at: number, length: number): Proposal | IkeFault {
  const protocol = u8(bytes, at + 5);
  const spiSize = u8(bytes, at + 6);
  if (length < PROPOSAL_HEADER + spiSize) return invalidSyntax(at + 6, `SPI of ${spiSize} octets`);
  if (!spiSizeFits(protocol, spiSize)) {
    return invalidSyntax(at + 6, `SPI of ${spiSize} octets for protocol ${protocol}`);
  }
  const transformsAt = at + PROPOSAL_HEADER + spiSize;
  const transforms = decodeTransforms(bytes, transformsAt, at + length, u8(bytes, at + 7));
  if (isFault(transforms)) return transforms;
  const spi = bytes.subarray(at + PROPOSAL_HEADER, transformsAt);
  return { number: u8(bytes, at + 4), protocol, spi, transforms };
}

function decode(bytes: Uint8Array, start: number, end: number): SecurityAssociation | IkeFault {
  const proposals: Proposal[] = [];
  let transforms = 0;
  for (let at = start; at < end;) {
    if (proposals.length === LIMITS.proposals) return invalidSyntax(at, 'too many proposals');
    if (end - at < PROPOSAL_HEADER) return invalidSyntax(at, 'proposal cut off');
    const length = u16(bytes, at + 2);
    if (length < PROPOSAL_HEADER || length > end - at) {
      return invalidSyntax(at + 2, `proposal of ${length} octets`);
    }
    const lastSubstruc = u8(bytes, at);
    if (lastSubstruc !== (length === end - at ? LAST : MORE)) {
      return invalidSyntax(at, `Last Substruc ${lastSubstruc} of a proposal`);
    }
    const proposal = decodeProposal(bytes, at, length);
    if (isFault(proposal)) return proposal;
    const before = proposals.at(-1);
    if (before !== undefined && proposal.number !== before.number + 1) {
      return invalidSyntax(at + 4, `proposal ${proposal.number} behind ${before.number}`);
    }
    transforms += proposal.transforms.length;
    if (transforms > LIMITS.transforms) return invalidSyntax(at, 'too many transforms');
    proposals.push(proposal);
    at += length;
  }
  return proposals.length === 0 ? invalidSyntax(start, 'no proposal') : { proposals };
}

function encodeProposal(proposal: Proposal, last: boolean, writer: ByteWriter): void {
  const { number, protocol, spi, transforms } = proposal;
  must(inOctet(number) && inOctet(protocol), 'proposal number or protocol');
  must(spiSizeFits(protocol, spi.length) && spi.length <= 0xff, 'SPI size');
  must(transforms.length <= 0xff, 'more than 255 transforms');
  const at = writer.length;
  writer.u8(last ? LAST : MORE);
  writer.u8(0);
  writer.u16(0);
  writer.u8(number);
  writer.u8(protocol);
  writer.u8(spi.length);
  writer.u8(transforms.length);
  writer.copy(spi);
  transforms.forEach((transform, i) => {
    encodeTransform(transform, i === transforms.length - 1, writer);
  });
  must(writer.length - at <= 0xffff, 'proposal of more than 65535 octets');
  writer.setU16(at + 2, writer.length - at);
}

function encode({ proposals }: SecurityAssociation, writer: ByteWriter): void {
  must(proposals.length > 0 && proposals.length <= LIMITS.proposals, 'number of proposals');
  const transforms = proposals.reduce((sum, proposal) => sum + proposal.transforms.length, 0);
  must(transforms <= LIMITS.transforms, 'number of transforms');
  proposals.forEach((proposal, i) => {
    const before = proposals[i - 1];
    must(before === undefined || proposal.number === before.number + 1, 'proposal numbers');
    encodeProposal(proposal, i === proposals.length - 1, writer);
  });
}

export const securityAssociation: PayloadCodec<SecurityAssociation> = { type: 33, decode, encode };
