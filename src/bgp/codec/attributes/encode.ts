// SPDX-License-Identifier: Apache-2.0
/** Writes path attributes. */
import { ByteWriter } from '../bytes.js';
import type { PathAttributes, RawAttribute, UpdateContext } from '../types.js';
import { ATTRIBUTES } from './table.js';
import { type AttributeCodec, FLAG } from './types.js';

/** Writes one attribute around the value that `write` writes; nothing when that says false. */
export function writeAttribute(
  out: ByteWriter,
  flags: number,
  type: number,
  write: (out: ByteWriter) => boolean,
): void {
  const start = out.length;
  out.u8(flags & ~FLAG.extended);
  out.u8(type);
  out.u8(0);
  if (!write(out)) {
    out.length = start;
    return;
  }
  const length = out.length - start - 3;
  if (length <= 255) {
    out.bytes[start + 2] = length;
    return;
  }
  if (length > 0xffff) throw new RangeError(`attribute ${type} of ${length} octets`);
  // One octet more for the length.
  out.u8(0);
  out.bytes.copyWithin(start + 4, start + 3, out.length - 1);
  out.bytes[start] = flags | FLAG.extended;
  out.setU16(start + 2, length);
}

/** Kept from call to call; what is returned is a copy. */
const scratch = new ByteWriter(4096);

/**
 * The attributes as octets, in order of type (RFC 4271 §5), for a peer of this context. Without the next
 * hop, which UpdateWriter writes; for external peers without LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST, for
 * 2-octet ones with AS4_PATH and AS4_AGGREGATOR where needed (RFC 6793 §4.2.2). Throws RangeError when one
 * attribute is longer than 65535 octets.
 */
export function encodeAttributes(attributes: PathAttributes, context: UpdateContext): Uint8Array {
  const out = scratch;
  out.length = 0;
  const raw = [...(attributes.others ?? [])].sort((a, b) => a.type - b.type);
  for (const codec of ATTRIBUTES) {
    while (raw[0] !== undefined && raw[0].type < codec.type) writeRaw(raw.shift(), out);
    writeKnown(codec, attributes, context, out);
  }
  for (const rest of raw) writeRaw(rest, out);
  return out.slice();
}

function writeKnown(
  codec: AttributeCodec,
  attributes: PathAttributes,
  context: UpdateContext,
  out: ByteWriter,
): void {
  const { type } = codec;
  const partial = attributes.partial?.includes(type) === true ? FLAG.partial : 0;
  writeAttribute(out, codec.flags | partial, type, (to) => {
    return codec.encode?.(attributes, context, to) === true;
  });
}

function writeRaw(raw: RawAttribute | undefined, out: ByteWriter): void {
  if (raw === undefined) return;
  writeAttribute(out, raw.flags, raw.type, (to) => {
    to.copy(raw.value);
    return true;
  });
}
