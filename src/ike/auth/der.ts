// SPDX-License-Identifier: Apache-2.0
/**
 * DER (X.690 §10), as much as certificates, CRLs and OCSP responses need: tags of one octet, lengths definite and
 * minimal. Works on views, copies nothing. Inside of {@link readDer} errors are thrown, outside of it none.
 */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
} as const;

/** Tag of a context-specific [n], constructed or not. */
export const context = (n: number, isConstructed: boolean): number =>
  (isConstructed ? 0xa0 : 0x80) | n;

/** Not DER, or not what is expected there. Stays inside of this folder. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

export interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
  /** With tag and length. */
  readonly whole: Uint8Array;
}

/** What `read` makes of the octets, which have to be read to their end; undefined: they are not well-formed. */
export function readDer<T>(octets: Uint8Array, read: (reader: DerReader) => T): T | undefined {
  try {
    const reader = new DerReader(octets);
    const value = read(reader);
    reader.end();
    return value;
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

/** Elements one behind the other. All methods throw {@link DerError}. */
export class DerReader {
  private readonly octets: Uint8Array;
  private at = 0;

  constructor(octets: Uint8Array) {
    this.octets = octets;
  }

  get isAtEnd(): boolean {
    return this.at >= this.octets.length;
  }

  /** Tag of the next element; undefined at the end. */
  get nextTag(): number | undefined {
    return this.octets[this.at];
  }

  next(): Element {
    const start = this.at;
    const tag = this.octet();
    if ((tag & 0x1f) === 0x1f) throw new DerError('a tag of several octets');
    const length = this.length();
    const contentAt = this.at;
    if (length > this.octets.length - contentAt) throw new DerError('an element is cut off');
    this.at = contentAt + length;
    return {
      tag,
      content: this.octets.subarray(contentAt, this.at),
      whole: this.octets.subarray(start, this.at),
    };
  }

  take(tag: number): Element {
    if (this.nextTag !== tag) throw new DerError(`no element of tag ${tag}`);
    return this.next();
  }

  optional(tag: number): Element | undefined {
    return this.nextTag === tag ? this.next() : undefined;
  }

  /** A reader of the elements in the next one. */
  inside(tag: number): DerReader {
    return new DerReader(this.take(tag).content);
  }

  end(): void {
    if (!this.isAtEnd) throw new DerError('octets behind the end');
  }

  /** What `read` makes of each element up to the end. */
  all<T>(read: (reader: DerReader) => T): T[] {
    const values: T[] = [];
    while (!this.isAtEnd) values.push(read(this));
    return values;
  }

  private octet(): number {
    const octet = this.octets[this.at];
    if (octet === undefined) throw new DerError('an element is cut off');
    this.at++;
    return octet;
  }

  private length(): number {
    const first = this.octet();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new DerError('a length of no or too many octets');
    let length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + this.octet();
    const least = count === 1 ? 0x80 : 256 ** (count - 1);
    if (length < least) throw new DerError('a length that is not minimal');
    return length;
  }
}

/** Dotted decimal; arcs of 2^49 and more, which nobody has, are refused. */
export function oidOf({ content }: Element): string {
  let text = '';
  let arc = 0;
  for (const [i, octet] of content.entries()) {
    if (i > 63 || arc >= 2 ** 42) throw new DerError('an object identifier without end');
    if (octet === 0x80 && arc === 0) throw new DerError('an arc that is not minimal');
    arc = arc * 128 + (octet & 0x7f);
    if ((octet & 0x80) !== 0) continue;
    if (text === '') {
      const root = arc < 40 ? 0 : arc < 80 ? 1 : 2;
      text = `${root}.${arc - 40 * root}`;
    } else {
      text += `.${arc}`;
    }
    arc = 0;
  }
  const last = content[content.length - 1];
  if (last === undefined || last >= 0x80) throw new DerError('half an object identifier');
  return text;
}

export function booleanOf({ content }: Element): boolean {
  const [octet] = content;
  if (content.length !== 1 || (octet !== 0 && octet !== 0xff)) throw new DerError('no boolean');
  return octet === 0xff;
}

/** Of any size, as hexadecimal of its minimal two's complement: equal numbers have equal texts. */
export function integerOf({ content }: Element): string {
  const [first, second] = content;
  if (first === undefined) throw new DerError('an integer without octets');
  if (second !== undefined && (first === 0 || first === 0xff) && first >>> 7 === second >>> 7) {
    throw new DerError('an integer that is not minimal');
  }
  return Buffer.from(content).toString('hex');
}

/** 0 to 2^31 - 1. */
export function smallIntegerOf(element: Element): number {
  const text = integerOf(element);
  const value = parseInt(text, 16);
  if (element.content.length > 4 || value > 0x7fffffff || (element.content[0] ?? 0) > 0x7f) {
    throw new DerError('a number that is negative or too large');
  }
  return value;
}

/** Octets of a bit string without unused bits. */
export function bitsOctetsOf({ content }: Element): Uint8Array {
  if (content[0] !== 0) throw new DerError('a bit string that does not end with an octet');
  return content.subarray(1);
}

/** Bits 0 to 15 of a named bit list: bit 0 is the highest of 16. */
export function namedBitsOf({ content }: Element): number {
  const [unused] = content;
  if (unused === undefined || unused > 7 || (content.length === 1 && unused !== 0)) {
    throw new DerError('no bit string');
  }
  return ((content[1] ?? 0) << 8) | (content[2] ?? 0);
}

/** UTCTime or GeneralizedTime as RFC 5280 §4.1.2.5 has them: to the second, in UTC. Seconds since 1970. */
export function timeOf({ tag, content }: Element): number {
  const text = Buffer.from(content).toString('latin1');
  if (tag !== TAG.utcTime && tag !== TAG.generalizedTime) throw new DerError('no time');
  const century = tag === TAG.generalizedTime ? '' : text < '50' ? '20' : '19';
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] =
    parts?.slice(1).map(Number) ?? [];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC takes a 31 June and makes 1 July of it: only what comes back the same was a time.
  const back = new Date(ms).toISOString().replace(/[-:T]|\.000/g, '');
  if (parts === null || back !== century + text) throw new DerError('no time');
  return ms / 1000;
}
