// SPDX-License-Identifier: Apache-2.0
/** The schema of the `ike` section; the types are in types.ts. */
import type { z } from 'zod';
import {
  encrypts,
  type EspWords,
  type IkeWords,
  parseEspWords,
  parseIkeWords,
  type WordMistake,
} from '../../lib/ike-words.js';
import { parsePrefix } from '../../lib/ip.js';
import { entity, replayWindow } from '../common-schema.js';
import { typeInWords, type Mistake } from '../issues.js';
import { boolean, directory, integer, network, oneOf, scalar } from '../scalars.js';
import { list, set, strict, table, type Equal, type Plain } from '../shapes.js';
import type { Ike } from './types.js';

type TextSchema = ReturnType<typeof scalar<string>>;

const seconds = (low: number, high: number, what: string): ReturnType<typeof integer> =>
  integer(low, high, `${what} in seconds`);
/** Absolute path of a file, never its contents. */
const file = directory(4095);

// ---- Proposals -----------------------------------------------------------------------------------

function proposal<W extends IkeWords | EspWords>(
  what: string,
  example: string,
  parse: (text: string) => W | WordMistake,
  wrong: (words: W) => Mistake | undefined,
): TextSchema {
  return scalar<string>(what, (value) => {
    if (typeof value !== 'string') {
      return { reason: `expected a string, got ${typeInWords(value)}`, remedy: `e.g. ${example}` };
    }
    const words = parse(value);
    return 'reason' in words ? words : (wrong(words) ?? value);
  });
}

const ikeProposal = proposal(
  'a proposal for IKE SAs',
  '"aes256gcm16-prfsha384-x25519-ke1_mlkem768"',
  parseIkeWords,
  () => undefined,
);

const espProposal = (protection: 'encrypt' | 'authenticate', example: string): TextSchema =>
  proposal('a proposal for child SAs', example, parseEspWords, (words) => {
    const does = words.ciphers.every(encrypts);
    if (does !== (protection === 'encrypt')) {
      const reason = does
        ? 'encrypts, which "authenticate" must not (policy-model 16)'
        : 'does not encrypt (policy-model 16)';
      return { reason, remedy: `e.g. ${example}` };
    }
    return undefined;
  });

const proposals = set(ikeProposal);
// An empty list: this protection is not negotiated at all.
const esp = strict({
  encrypt: list(espProposal('encrypt', '"aes128gcm16-x25519"')).exactOptional(),
  authenticate: list(espProposal('authenticate', '"aes128gmac"')).exactOptional(),
});

// ---- Providers -----------------------------------------------------------------------------------

const credential = strict({
  certificate: file,
  key: file,
  sps: set(entity).exactOptional(),
  ocspResponse: file.exactOptional(),
  rsaPadding: oneOf('pss', 'pkcs1').exactOptional(),
});

/** "192.0.2.2" or "192.0.2.0/24", host bits zero. */
const addressOrNetwork = scalar<string>('an address or a prefix', (value) => {
  if (typeof value !== 'string') {
    const reason = `expected a string, got ${typeInWords(value)}`;
    return { reason, remedy: 'e.g. "192.0.2.2" or "192.0.2.0/24"' };
  }
  const prefix = parsePrefix(value);
  const whole = prefix !== undefined && !value.includes('/') ? `${value}/${prefix.length}` : value;
  const parsed = network.safeParse(whole);
  if (parsed.success) return value;
  const [found] = parsed.error.issues;
  const params = found?.code === 'custom' ? found.params : undefined;
  const remedy: unknown = params?.['remedy'];
  return {
    reason: found?.message ?? 'not an address',
    remedy: typeof remedy === 'string' ? remedy.replace(/\/(32|128)"$/, '"') : '',
  };
});

/** RFC 8784 §5.1 sets no limit; an identity is for people. */
const ppkId = scalar<string>('an identity', (value) => {
  const bytes = typeof value === 'string' ? Buffer.byteLength(value) : 0;
  if (typeof value === 'string' && bytes > 0 && bytes <= 63) return value;
  return { reason: `identity of ${bytes} octets`, remedy: '1..63 octets of UTF-8' };
});

const provider = strict({
  ranges: set(network),
  anchors: table(strict({ file })).exactOptional(),
  intermediates: set(file).exactOptional(),
  crls: set(file).exactOptional(),
  revocation: oneOf('if-available', 'required').exactOptional(),
  askOcsp: boolean.exactOptional(),
  ocspMaxAge: seconds(60, 31_536_000, 'age of an OCSP response').exactOptional(),
  psks: table(strict({ remote: addressOrNetwork, file })).exactOptional(),
  methods: set(oneOf('psk', 'rsa', 'ecdsa', 'ed25519')).exactOptional(),
  nat: oneOf('refuse', 'allow').exactOptional(),
  ppk: strict({ id: ppkId, file, required: boolean.exactOptional() }).exactOptional(),
  proposals: proposals.exactOptional(),
  esp: esp.exactOptional(),
});

// ---- The whole -----------------------------------------------------------------------------------

/** A number that need not be whole. */
function decimal(min: number, max: number, what: string): ReturnType<typeof integer> {
  const range = `${what}, ${min}..${max}`;
  return scalar<number>(range, (value) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      return { reason: `expected a number, got ${typeInWords(value)}`, remedy: range };
    }
    if (value >= min && value <= max) return value;
    return { reason: value < min ? `less than ${min}` : `more than ${max}`, remedy: range };
  });
}

/** 0, or within the limits. */
function zeroOr(schema: ReturnType<typeof integer>, what: string): ReturnType<typeof integer> {
  return scalar<number>(what, (value) => {
    if (value === 0) return value;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [found] = parsed.error.issues;
    return { reason: found?.message ?? 'not a number', remedy: `0, or ${what}` };
  });
}

const day = 86_400;
const lifetime = zeroOr(seconds(10, 30 * day, 'a lifetime'), 'a lifetime, 10..2592000 seconds');
const share = decimal(0, 0.5, 'a share');

const lifetimes = strict({
  ike: strict({ seconds: lifetime.exactOptional() }).exactOptional(),
  child: strict({
    seconds: lifetime.exactOptional(),
    bytes: zeroOr(
      integer(1_000_000, Number.MAX_SAFE_INTEGER, 'bytes'),
      'bytes, 1000000 or more',
    ).exactOptional(),
    // Without extended sequence numbers an SA ends at 2^32 - 1: it has to be replaced before.
    packets: integer(1000, 4_000_000_000, 'packets').exactOptional(),
  }).exactOptional(),
  jitter: share.exactOptional(),
});

const retransmission = strict({
  firstMs: integer(50, 60_000, 'a wait in milliseconds').exactOptional(),
  factor: decimal(1, 4, 'a factor').exactOptional(),
  tries: integer(1, 20, 'transmissions').exactOptional(),
  jitter: share.exactOptional(),
});

const limits = strict({
  cookieAbove: integer(0, 1_000_000, 'half-open IKE SAs').exactOptional(),
  halfOpen: integer(1, 1_000_000, 'half-open IKE SAs').exactOptional(),
  halfOpenPerPeer: integer(1, 1000, 'half-open IKE SAs').exactOptional(),
  halfOpenTimeout: seconds(1, 600, 'a time').exactOptional(),
});

export const ikeSchema = strict({
  proposals: proposals.exactOptional(),
  esp: esp.exactOptional(),
  credentials: table(credential).exactOptional(),
  providers: table(provider),
  lifetimes: lifetimes.exactOptional(),
  reauthentication: zeroOr(
    seconds(60, 365 * day, 'a time'),
    'a time, 60..31536000 seconds',
  ).exactOptional(),
  dpd: seconds(1, day, 'silence').exactOptional(),
  retransmission: retransmission.exactOptional(),
  fragmentBytes: zeroOr(
    integer(576, 65_535, 'octets'),
    'octets of an IP packet, 576..65535',
  ).exactOptional(),
  window: integer(1, 64, 'requests').exactOptional(),
  replayWindow: replayWindow.exactOptional(),
  limits: limits.exactOptional(),
});

// The schema and the type of types.ts say the same: this fails to compile when they do not.
true satisfies Equal<Plain<z.output<typeof ikeSchema>>, Plain<Ike>>;
