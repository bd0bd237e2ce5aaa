// SPDX-License-Identifier: Apache-2.0
/** Schemas of single values. Each says in its own words what is wrong and what would be right. */
import { z } from 'zod';
import { kindOf, type AddressKind } from '../lib/ip-kind.js';
import {
  bitsOf,
  equalBytes,
  formatAddress,
  formatPrefix,
  lastAddress,
  networkOf,
  parseAddress,
  parsePrefix,
  type Prefix,
} from '../lib/ip.js';
import { suggest } from '../lib/suggest.js';
import { typeInWords, type Mistake } from './issues.js';

/** Where a custom zod issue carries the remedy: `issue.params.remedy`. */
export interface IssueParams {
  readonly remedy: string;
}

export function isMistake(value: unknown): value is Mistake {
  return typeof value === 'object' && value !== null && 'reason' in value && 'remedy' in value;
}

type ScalarSchema<T> = z.ZodPipe<z.ZodUnknown, z.ZodTransform<T>>;

/** A schema from one function that returns the value or says what is wrong with it. */
export function scalar<T extends string | number | boolean>(
  what: string,
  parse: (value: unknown) => T | Mistake,
): ScalarSchema<T> {
  return z.unknown().transform((value, ctx): T => {
    const result =
      value === undefined ? { reason: 'missing', remedy: `give ${what}` } : parse(value);
    if (!isMistake(result)) return result;
    ctx.issues.push({
      code: 'custom',
      input: value,
      message: result.reason,
      params: { remedy: result.remedy },
    });
    return z.NEVER;
  });
}

function wrongType(value: unknown, expected: string, example: string): Mistake {
  return { reason: `expected ${expected}, got ${typeInWords(value)}`, remedy: `e.g. ${example}` };
}

/** A string that `check` finds nothing wrong with (returns undefined). */
function text(
  what: string,
  example: string,
  check: (value: string) => Mistake | undefined,
): ScalarSchema<string> {
  return scalar(what, (value) => {
    if (typeof value !== 'string') return wrongType(value, what, example);
    return check(value) ?? value;
  });
}

export const boolean = scalar<boolean>('true or false', (value) =>
  typeof value === 'boolean' ? value : wrongType(value, 'true or false', 'true'),
);

export function integer(min: number, max: number, what: string): ScalarSchema<number> {
  const range = `${what}, ${min}..${max}`;
  return scalar(range, (value) => {
    if (typeof value !== 'number') return wrongType(value, 'a number', String(min));
    if (!Number.isInteger(value)) return { reason: 'not a whole number', remedy: range };
    if (value < min) return { reason: `less than ${min}`, remedy: range };
    return value > max ? { reason: `more than ${max}`, remedy: range } : value;
  });
}

export function oneOf<const T extends string>(...words: readonly T[]): ScalarSchema<T> {
  const list = words.map((word) => `"${word}"`).join(' or ');
  return scalar(list, (value) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    if (typeof value !== 'string') return wrongType(value, 'a word', `"${words[0] ?? ''}"`);
    return { reason: 'no such choice', remedy: suggest(value, words, 'choices') };
  });
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** What is wrong with a name of something, or undefined. Also for keys of records. */
export function nameMistake(value: string, longest: number): Mistake | undefined {
  if (value === '') return { reason: 'empty name', remedy: `1..${longest} characters` };
  if (value.length > longest) {
    return { reason: `name of ${value.length} characters`, remedy: `at most ${longest}` };
  }
  if (NAME.test(value)) return undefined;
  const remedy = 'letters, digits, "-", "_" and "."; a letter or digit first';
  return { reason: 'name with characters that are not allowed', remedy };
}

export function name(longest: number): ScalarSchema<string> {
  return text('a name', '"a1"', (value) => nameMistake(value, longest));
}

/** Kernel interface names: IFNAMSIZ is 16 bytes with its NUL. */
export const kernelName = text('the name of a kernel interface', '"eth0"', (value) => {
  if (value !== '' && value.length <= 15 && !/[\s/:]/.test(value) && !/^\.\.?$/.test(value)) {
    return undefined;
  }
  return {
    reason: 'not the name of a kernel interface',
    remedy: '1..15 characters, no "/", ":" or white space',
  };
});

/** @param longest bytes; sun_path of a unix socket has 108 for folder and file. */
export function directory(longest: number): ScalarSchema<string> {
  return text('an absolute path', '"/run/sealane/pe1"', (value) => {
    if (!value.startsWith('/')) return { reason: 'not an absolute path', remedy: 'begin with "/"' };
    if (value.includes('\0')) return { reason: 'path with a NUL byte', remedy: 'remove it' };
    const bytes = Buffer.byteLength(value);
    if (bytes <= longest) return undefined;
    return { reason: `path of ${bytes} bytes`, remedy: `at most ${longest}` };
  });
}

export const nonEmpty = (what: string, example: string): ScalarSchema<string> =>
  text(what, example, (value) => {
    if (value === '' || /[\0\n]/.test(value)) {
      return { reason: 'empty, or with line breaks', remedy: `e.g. ${example}` };
    }
    return undefined;
  });

export const pciAddress = text('a PCI address', '"0000:03:00.0"', (value) => {
  if (/^[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/.test(value)) return undefined;
  const full = /^([0-9a-f]{4}:)?([0-9a-f]{2}:[01][0-9a-f]\.[0-7])$/i.exec(value);
  const remedy =
    full === null
      ? 'DOMAIN:BUS:DEVICE.FUNCTION, e.g. "0000:03:00.0"'
      : `"${full[1] ?? '0000:'}${full[2] ?? ''}"`.toLowerCase();
  return { reason: 'not a full PCI address in lower case', remedy };
});

export const vdev = text('a DPDK virtual device', '"net_memif0,role=client"', (value) =>
  /^[a-z][a-z0-9_]*[0-9]*(,[^\s]+)?$/.test(value)
    ? undefined
    : { reason: 'not a DPDK device argument', remedy: 'DRIVER_N[,KEY=VALUE...], no white space' },
);

/** "2-3,5": CPU numbers and ranges. */
export const cpuList = text('a list of CPUs', '"2-3"', (value) =>
  parseCpuList(value) === undefined
    ? { reason: 'not a list of CPUs', remedy: 'numbers and ranges, e.g. "2-3,5"' }
    : undefined,
);

/** CPU numbers, ascending, without repetition; undefined when malformed. */
export function parseCpuList(list: string): readonly number[] | undefined {
  const cpus = new Set<number>();
  for (const part of list.split(',')) {
    const range = /^([0-9]{1,4})(?:-([0-9]{1,4}))?$/.exec(part);
    if (range === null) return undefined;
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (last < first) return undefined;
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

// ---- Addresses ----------------------------------------------------------------------------------

const KIND_REMEDY: Readonly<Record<Exclude<AddressKind, 'unicast'>, string>> = {
  unspecified: 'an address that a host can have',
  loopback: 'an address that others can reach',
  multicast: 'a unicast address',
  broadcast: 'a unicast address',
  'link-local': 'link-local addresses are made by themselves: give a routable one',
  'ipv4-mapped': 'write IPv4 addresses as IPv4',
};

function unicastMistake(bytes: Uint8Array, also?: AddressKind): Mistake | undefined {
  const kind = kindOf(bytes);
  if (kind === 'unicast' || kind === also) return undefined;
  return { reason: `${kind} address`, remedy: KIND_REMEDY[kind] };
}

function canonical(value: string, right: string): Mistake | undefined {
  if (value === right) return undefined;
  return { reason: 'not in its usual form (RFC 5952)', remedy: `"${right}"` };
}

/** One unicast address, written as RFC 5952 says: equal addresses are equal strings. */
export function address(options: { linkLocal?: boolean } = {}): ScalarSchema<string> {
  return text('an IP address', '"192.0.2.1"', (value) => {
    const parsed = parseAddress(value);
    if (parsed === undefined) {
      const remedy = value.includes('/')
        ? 'without prefix length here'
        : 'e.g. "192.0.2.1" or "2001:db8::1"';
      return { reason: 'not an IP address', remedy };
    }
    const also = options.linkLocal === true ? 'link-local' : undefined;
    return unicastMistake(parsed, also) ?? canonical(value, formatAddress(parsed));
  });
}

function withLength(value: string): Prefix | Mistake {
  const prefix = parsePrefix(value);
  if (prefix === undefined) {
    return { reason: 'not ADDRESS/LENGTH', remedy: 'e.g. "10.1.0.0/24" or "2001:db8:1::/64"' };
  }
  if (value.includes('/')) return prefix;
  return { reason: 'prefix length missing', remedy: `e.g. "${value}/${bitsOf(prefix.family)}"` };
}

/** A destination: host bits zero. Any address may be one, so that a route can discard it. */
export const network = text('a prefix', '"10.1.0.0/24"', (value) => {
  const prefix = withLength(value);
  if (isMistake(prefix)) return prefix;
  const right = networkOf(prefix);
  if (!equalBytes(right.address, prefix.address)) {
    return { reason: 'prefix with host bits set', remedy: `"${formatPrefix(right)}"` };
  }
  return canonical(value, formatPrefix(prefix));
});

/** An own address with the length of its subnet: a host's, not the subnet's or its broadcast. */
export const ownAddress = text('an address with prefix length', '"10.1.0.1/24"', (value) => {
  const prefix = withLength(value);
  if (isMistake(prefix)) return prefix;
  const wrong = unicastMistake(prefix.address);
  if (wrong !== undefined) return wrong;
  if (prefix.length === 0) return { reason: 'prefix length 0', remedy: 'the length of the subnet' };
  const hostBits = bitsOf(prefix.family) - prefix.length;
  // RFC 3021, RFC 6164: of a /31 and a /127 both addresses are hosts'.
  if (hostBits > 1) {
    if (equalBytes(prefix.address, networkOf(prefix).address)) {
      const remedy = 'the address of this PE in it, host bits included';
      return { reason: 'the address of the subnet itself', remedy };
    }
    if (prefix.family === 4 && equalBytes(prefix.address, lastAddress(prefix))) {
      return { reason: 'the broadcast address of the subnet', remedy: 'an address of a host' };
    }
  }
  return canonical(value, formatPrefix(prefix));
});
