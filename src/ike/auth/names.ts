// SPDX-License-Identifier: Apache-2.0
/** Distinguished names and general names (RFC 5280 §4.1.2.4, §4.2.1.6), and what constrains them (§4.2.1.10). */
import { context, DerError, DerReader, oidOf, TAG, type Element } from './der.js';

export interface DistinguishedName {
  /** DER. */
  readonly octets: Uint8Array;
  /** One text per RDN; equal names have equal texts, whatever their string types, case and spaces (RFC 5280 §7.1). */
  readonly rdns: readonly string[];
  /** The RDNs in one. */
  readonly key: string;
  /** RFC 4514. */
  readonly text: string;
  readonly hasEmail: boolean;
}

const EMAIL = '1.2.840.113549.1.9.1';
/** RFC 4514 §3; others are written as object identifiers. */
const SHORT: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.6': 'C',
  '2.5.4.9': 'STREET',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
};

const TEXTS: ReadonlySet<number> = new Set([TAG.utf8String, TAG.printableString, TAG.ia5String]);

/** Of a Name. Throws DerError. */
export function nameOf({ content, whole }: Element): DistinguishedName {
  const sets = new DerReader(content).all((rdn) => {
    const attributes = rdn.inside(TAG.set).all(readAttribute);
    if (attributes.length === 0) throw new DerError('an RDN without attributes');
    return attributes;
  });
  const rdns = sets.map((attributes) =>
    attributes
      .map(({ key }) => key)
      .sort()
      .join('+'),
  );
  return {
    octets: whole,
    rdns,
    key: rdns.join(','),
    text: sets
      .map((attributes) => attributes.map(({ text }) => text).join('+'))
      .reverse()
      .join(','),
    hasEmail: sets.some((attributes) => attributes.some(({ oid }) => oid === EMAIL)),
  };
}

interface Attribute {
  readonly oid: string;
  readonly key: string;
  readonly text: string;
}

function readAttribute(reader: DerReader): Attribute {
  const attribute = reader.inside(TAG.sequence);
  const oid = oidOf(attribute.take(TAG.oid));
  const value = attribute.next();
  attribute.end();
  const hex = Buffer.from(value.whole).toString('hex');
  if (!TEXTS.has(value.tag)) {
    return { oid, key: `${oid}=#${hex}`, text: `${SHORT[oid] ?? oid}=#${hex}` };
  }
  const string = Buffer.from(value.content).toString('utf8');
  const canonical = string.normalize('NFKC').toLowerCase().trim().replace(/\s+/g, ' ');
  // Quoted, so that no value can look like the end of one attribute and the begin of another.
  return {
    oid,
    key: `${oid}=${JSON.stringify(canonical)}`,
    text: `${SHORT[oid] ?? oid}=${escaped(string)}`,
  };
}

/** RFC 4514 §2.4. */
const escaped = (text: string): string =>
  text.replace(/[",+;<>\\]/g, '\\$&').replace(/^[ #]| $/g, '\\$&');

/** Forms of GeneralName by their tag number. */
const FORM = { rfc822: 1, dns: 2, directory: 4, ip: 7 } as const;

export interface GeneralNames {
  readonly ips: readonly Uint8Array[];
  readonly dns: readonly string[];
  readonly directories: readonly DistinguishedName[];
  /** Tag numbers of the forms that are there, those that are not looked at included. */
  readonly forms: ReadonlySet<number>;
}

export const NO_NAMES: GeneralNames = { ips: [], dns: [], directories: [], forms: new Set() };

/** Of GeneralNames. Throws DerError. */
export function generalNamesOf(names: DerReader): GeneralNames {
  const found = { ips: [] as Uint8Array[], dns: [] as string[], forms: new Set<number>() };
  const directories: DistinguishedName[] = [];
  while (!names.isAtEnd) {
    const name = names.next();
    const form = formOf(name);
    found.forms.add(form);
    if (form === FORM.ip) {
      if (name.content.length !== 4 && name.content.length !== 16) throw new DerError('no address');
      found.ips.push(name.content);
    } else if (form === FORM.dns) {
      found.dns.push(dnsOf(name));
    } else if (form === FORM.directory) {
      directories.push(directoryOf(name));
    }
  }
  return { ...found, directories };
}

function formOf({ tag }: Element): number {
  if ((tag & 0xc0) !== 0x80) throw new DerError('no general name');
  return tag & 0x1f;
}

/** Letters, digits, hyphen, underscore and dots only: nothing that a comparison could be misled by. */
function dnsOf({ content }: Element): string {
  const text = Buffer.from(content).toString('latin1').toLowerCase();
  if (!/^[a-z0-9_.*-]*$/.test(text)) throw new DerError('no DNS name');
  return text;
}

/** directoryName is tagged explicitly: a Name is a CHOICE. */
function directoryOf({ content }: Element): DistinguishedName {
  const inside = new DerReader(content);
  const name = nameOf(inside.take(TAG.sequence));
  inside.end();
  return name;
}

/** One subtree: what a name must, or must not, be in. */
type Subtree =
  | { readonly form: typeof FORM.ip; readonly address: Uint8Array; readonly mask: Uint8Array }
  | { readonly form: typeof FORM.dns; readonly suffix: string }
  | { readonly form: typeof FORM.directory; readonly rdns: readonly string[] }
  | { readonly form: 'other'; readonly tag: number };

export interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}

/** Of NameConstraints. Throws DerError. */
export function nameConstraintsOf(octets: DerReader): NameConstraints {
  const reader = octets.inside(TAG.sequence);
  const subtrees = (tag: number): readonly Subtree[] => {
    const element = reader.optional(tag);
    return element === undefined ? [] : new DerReader(element.content).all(readSubtree);
  };
  const [permitted, excluded] = [subtrees(context(0, true)), subtrees(context(1, true))];
  reader.end();
  return { permitted, excluded };
}

function readSubtree(reader: DerReader): Subtree {
  const subtree = reader.inside(TAG.sequence);
  const base = subtree.next();
  // RFC 5280 §4.2.1.10: minimum is 0, which DER leaves out, and there is no maximum.
  subtree.end();
  const form = formOf(base);
  switch (form) {
    case FORM.ip: {
      const half = base.content.length / 2;
      if (half !== 4 && half !== 16) throw new DerError('no range of addresses');
      return { form, address: base.content.subarray(0, half), mask: base.content.subarray(half) };
    }
    case FORM.dns:
      return { form, suffix: dnsOf(base) };
    case FORM.directory:
      return { form, rdns: directoryOf(base).rdns };
    default:
      return { form: 'other', tag: form };
  }
}

/**
 * Whether a certificate's names fit: undefined, or what does not. Names of a form that is constrained but not
 * understood here (mail addresses, URIs, others) never fit, as RFC 5280 §4.2.1.10 wants.
 */
export function violation(
  constraints: NameConstraints,
  subject: DistinguishedName,
  names: GeneralNames,
): string | undefined {
  const { permitted, excluded } = constraints;
  const forms = new Set([...names.forms, ...(subject.hasEmail ? [FORM.rfc822] : [])]);
  for (const each of [...permitted, ...excluded]) {
    if (each.form === 'other' && forms.has(each.tag)) return 'a name of a constrained form';
  }
  const directories = subject.rdns.length > 0 ? [subject, ...names.directories] : names.directories;
  const fits = <T>(
    form: Subtree['form'],
    values: readonly T[],
    holds: (s: Subtree, v: T) => boolean,
  ): boolean => {
    const allowed = permitted.filter((each) => each.form === form);
    return values.every(
      (value) =>
        (allowed.length === 0 || allowed.some((each) => holds(each, value))) &&
        !excluded.some((each) => each.form === form && holds(each, value)),
    );
  };
  if (!fits(FORM.ip, names.ips, holdsAddress)) return 'an address outside of the name constraints';
  if (!fits(FORM.dns, names.dns, holdsDns)) return 'a DNS name outside of the name constraints';
  const isInside = fits(FORM.directory, directories, holdsDirectory);
  return isInside ? undefined : 'a distinguished name outside of the name constraints';
}

function holdsAddress(subtree: Subtree, address: Uint8Array): boolean {
  if (subtree.form !== FORM.ip || subtree.address.length !== address.length) return false;
  return address.every((octet, i) => {
    const mask = subtree.mask[i] ?? 0;
    return (octet & mask) === ((subtree.address[i] ?? 0) & mask);
  });
}

/** `example.net` holds itself and what is below, `.example.net` only what is below, the empty one everything. */
function holdsDns(subtree: Subtree, name: string): boolean {
  if (subtree.form !== FORM.dns) return false;
  const { suffix } = subtree;
  if (suffix === '' || name === suffix) return true;
  return name.endsWith(suffix.startsWith('.') ? suffix : `.${suffix}`);
}

function holdsDirectory(subtree: Subtree, { rdns }: DistinguishedName): boolean {
  if (subtree.form !== FORM.directory) return false;
  return subtree.rdns.length <= rdns.length && subtree.rdns.every((rdn, i) => rdn === rdns[i]);
}
