// SPDX-License-Identifier: Apache-2.0
/**
 * IKE proposals in the words that strongSwan has for them, joined by "-", in order of preference within each kind:
 *
 *   aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp256-ke1_mlkem768
 *   aes128-sha256-modp2048            of AES-CBC; the PRF follows from the integrity when none is said
 *   aes128gcm16-noesn-x25519-none     of ESP: PFS where the peer wants it
 *   aes128gmac, null-sha256           of ESP that only authenticates
 *
 * Words name what exists; which of it may stand together is checked as well, so that what comes out can be offered.
 */
import { suggest } from './suggest.js';

export type IkeCipherName =
  'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305' | 'aes-128-cbc' | 'aes-256-cbc';
export type EspCipherName = IkeCipherName | 'aes-128-gmac' | 'aes-256-gmac' | 'null';
export type Sha2 = 'sha256' | 'sha384' | 'sha512';
export type KeName =
  | 'modp2048'
  | 'modp3072'
  | 'modp4096'
  | 'ecp256'
  | 'ecp384'
  | 'ecp521'
  | 'x25519'
  | 'mlkem512'
  | 'mlkem768'
  | 'mlkem1024';

/** As `IkeProposal` of src/ike/negotiation/types.ts, in names. */
export interface IkeWords {
  readonly ciphers: readonly IkeCipherName[];
  readonly prfs: readonly Sha2[];
  readonly integrity: readonly Sha2[];
  readonly ke: readonly KeName[];
  readonly additional: readonly (readonly (KeName | 'none')[])[];
}

/** As `EspProposal` of src/ike/negotiation/types.ts, in names. */
export interface EspWords {
  readonly ciphers: readonly EspCipherName[];
  readonly integrity: readonly Sha2[];
  readonly esn: readonly boolean[];
  readonly ke: readonly (KeName | 'none')[];
  readonly additional: readonly (readonly (KeName | 'none')[])[];
}

/** What is wrong with a proposal, and what would be right. */
export interface WordMistake {
  readonly reason: string;
  readonly remedy: string;
}

export const isWordMistake = (parsed: IkeWords | EspWords | WordMistake): parsed is WordMistake =>
  'reason' in parsed;

/** The first word of each name is the one that is printed; the others are taken as well. */
export const CIPHER_WORDS: Readonly<Record<EspCipherName, readonly [string, ...string[]]>> = {
  'aes-128-gcm': ['aes128gcm16', 'aes128gcm128', 'aes128gcm'],
  'aes-256-gcm': ['aes256gcm16', 'aes256gcm128', 'aes256gcm'],
  'chacha20-poly1305': ['chacha20poly1305'],
  'aes-128-cbc': ['aes128', 'aes'],
  'aes-256-cbc': ['aes256'],
  'aes-128-gmac': ['aes128gmac'],
  'aes-256-gmac': ['aes256gmac'],
  null: ['null'],
};
const INTEGRITY_WORDS: Readonly<Record<Sha2, readonly [string, ...string[]]>> = {
  sha256: ['sha256', 'sha2_256'],
  sha384: ['sha384', 'sha2_384'],
  sha512: ['sha512', 'sha2_512'],
};
const PRF_WORDS: Readonly<Record<Sha2, readonly [string, ...string[]]>> = {
  sha256: ['prfsha256'],
  sha384: ['prfsha384'],
  sha512: ['prfsha512'],
};
const KE_WORDS: Readonly<Record<KeName, readonly [string, ...string[]]>> = {
  modp2048: ['modp2048'],
  modp3072: ['modp3072'],
  modp4096: ['modp4096'],
  ecp256: ['ecp256'],
  ecp384: ['ecp384'],
  ecp521: ['ecp521'],
  x25519: ['x25519', 'curve25519'],
  mlkem512: ['mlkem512'],
  mlkem768: ['mlkem768'],
  mlkem1024: ['mlkem1024'],
};

function byWord<K extends string>(
  words: Readonly<Record<K, readonly string[]>>,
  names: readonly K[],
): ReadonlyMap<string, K> {
  return new Map(names.flatMap((name) => words[name].map((word) => [word, name] as const)));
}
const SHA2 = ['sha256', 'sha384', 'sha512'] as const;
const CIPHERS = byWord(CIPHER_WORDS, [
  ...(['aes-128-gcm', 'aes-256-gcm', 'chacha20-poly1305', 'aes-128-cbc', 'aes-256-cbc'] as const),
  ...(['aes-128-gmac', 'aes-256-gmac', 'null'] as const),
]);
const INTEGRITY = byWord(INTEGRITY_WORDS, SHA2);
const PRFS = byWord(PRF_WORDS, SHA2);
const KES = byWord(KE_WORDS, [
  ...(['modp2048', 'modp3072', 'modp4096', 'ecp256', 'ecp384', 'ecp521', 'x25519'] as const),
  ...(['mlkem512', 'mlkem768', 'mlkem1024'] as const),
]);
const KNOWN = [...CIPHERS.keys(), ...INTEGRITY.keys(), ...PRFS.keys(), ...KES.keys()];

/** Words of strongSwan for what RFC 8247 and RFC 8221 want gone, and what breaks. */
const WEAK =
  /^(des|3des|blowfish\d*|cast128|rc5|idea|(prf)?md5(_128)?|(prf)?sha1?(_160)?|sha256_96|modp(768|1024|1536|1024s160|2048s224|2048s256)|ecp(192|224)(bp)?)$/;
/** And for what is sound, or once was, but is not spoken here. */
const FOREIGN =
  /^(aes192\w*|aes(128|256)?(ctr|ccm\d*|gcm(8|12|64|96))|camellia\w*|serpent\d*|twofish\d*|(prf)?aes(xcbc|cmac)|camelliaxcbc|prfaes\w+|modp(6144|8192)|ecp\d+bp|(x|curve)448|chacha20poly1305compat|aes192gmac|ntru\d+|newhope128|modpnull)$/;

interface Sorted {
  readonly ciphers: EspCipherName[];
  readonly integrity: Sha2[];
  readonly prfs: Sha2[];
  readonly esn: boolean[];
  readonly ke: (KeName | 'none')[];
  readonly additional: (KeName | 'none')[][];
}

const MOST_ADDITIONAL = 7;

function unknown(word: string): WordMistake {
  if (WEAK.test(word)) {
    return { reason: `"${word}" is too weak (RFC 8247)`, remedy: 'remove it' };
  }
  if (FOREIGN.test(word)) return { reason: `"${word}" is not spoken here`, remedy: 'remove it' };
  const reason = word === '' ? 'empty word' : `unknown word "${word}"`;
  return { reason, remedy: suggest(word, KNOWN, 'words') };
}

/** Adds one word to what it says; false: it is there already. */
function add<T>(list: T[], value: T): boolean {
  if (list.includes(value)) return false;
  list.push(value);
  return true;
}

/** undefined: no word of ours. */
function sortWord(word: string, into: Sorted): boolean | undefined {
  const cipher = CIPHERS.get(word);
  if (cipher !== undefined) return add(into.ciphers, cipher);
  const integrity = INTEGRITY.get(word);
  if (integrity !== undefined) return add(into.integrity, integrity);
  const prf = PRFS.get(word);
  if (prf !== undefined) return add(into.prfs, prf);
  if (word === 'esn' || word === 'noesn') return add(into.esn, word === 'esn');
  const [, place, method = word] = /^ke([1-7])_(.+)$/.exec(word) ?? [];
  const ke = method === 'none' ? method : KES.get(method);
  if (ke === undefined) return undefined;
  return add(place === undefined ? into.ke : (into.additional[Number(place) - 1] ?? []), ke);
}

function sort(text: string): Sorted | WordMistake {
  const sorted: Sorted = {
    ...{ ciphers: [], integrity: [], prfs: [], esn: [], ke: [] },
    additional: Array.from({ length: MOST_ADDITIONAL }, () => []),
  };
  for (const word of text.toLowerCase().split('-')) {
    const done = sortWord(word, sorted);
    if (done === undefined) return unknown(word.replace(/^ke[1-7]_/, ''));
    if (!done) return { reason: `"${word}" is named twice`, remedy: 'remove one' };
  }
  const used = sorted.additional.findLastIndex((place) => place.length > 0) + 1;
  return { ...sorted, additional: sorted.additional.slice(0, used) };
}

const isAead = (cipher: EspCipherName): boolean => /gcm|gmac|poly1305/.test(cipher);
const isKem = (ke: string): boolean => ke.startsWith('mlkem');

/** Encryption and integrity, of both protocols. */
function mistakeOfCiphers({ ciphers, integrity }: Sorted): WordMistake | undefined {
  const aeads = ciphers.filter(isAead);
  if (ciphers.length === 0) return { reason: 'no encryption', remedy: 'e.g. "aes256gcm16"' };
  if (aeads.length > 0 && aeads.length < ciphers.length) {
    return {
      reason: 'ciphers that authenticate themselves beside others (RFC 7296 §3.3)',
      remedy: 'two proposals',
    };
  }
  if (aeads.length > 0 && integrity.length > 0) {
    const [hash = ''] = integrity;
    const remedy = `remove it; as a PRF it is written "prf${hash}"`;
    return { reason: `"${hash}" beside a cipher that authenticates itself`, remedy };
  }
  if (aeads.length === 0 && integrity.length === 0) {
    return { reason: 'no integrity', remedy: 'e.g. "sha256"' };
  }
  return undefined;
}

/** Additional key exchanges (RFC 9370 §2.2.1), of both protocols. */
function mistakeOfAdditional({ ke, additional }: Sorted): WordMistake | undefined {
  const first = ke.filter((method) => method !== 'none');
  if (additional.length === 0) return undefined;
  if (first.length === 0) {
    return { reason: 'an additional key exchange without a first one', remedy: 'e.g. "x25519"' };
  }
  const empty = additional.findIndex((place) => place.every((method) => method === 'none')) + 1;
  if (empty > 0) {
    return { reason: `ke${empty}_ has no method`, remedy: `e.g. "ke${empty}_mlkem768"` };
  }
  const needed = [first, ...additional.filter((place) => !place.includes('none'))];
  if (canAllDiffer(needed)) return undefined;
  const reason = 'a key exchange method would have to be used twice (RFC 9370 §2.2.1)';
  return { reason, remedy: 'other methods at one of the places' };
}

/** Whether each place can have one of its methods that no other place has: a matching, by augmenting paths. */
function canAllDiffer(places: readonly (readonly string[])[]): boolean {
  const holder = new Map<string, readonly string[]>();
  const seat = (place: readonly string[], tried: Set<string>): boolean =>
    place.some((method) => {
      if (tried.has(method)) return false;
      tried.add(method);
      const other = holder.get(method);
      if (other !== undefined && !seat(other, tried)) return false;
      holder.set(method, place);
      return true;
    });
  return places.every((place) => seat(place, new Set()));
}

const isIkeCipher = (cipher: EspCipherName): cipher is IkeCipherName =>
  cipher !== 'null' && cipher !== 'aes-128-gmac' && cipher !== 'aes-256-gmac';
const isMethod = (ke: KeName | 'none'): ke is KeName => ke !== 'none';

/** A proposal for IKE SAs. */
export function parseIkeWords(text: string): IkeWords | WordMistake {
  const sorted = sort(text);
  if ('reason' in sorted) return sorted;
  const ciphers = sorted.ciphers.filter(isIkeCipher);
  const ke = sorted.ke.filter(isMethod);
  const { integrity, additional } = sorted;
  const prfs = sorted.prfs.length > 0 ? sorted.prfs : integrity;
  if (ciphers.length < sorted.ciphers.length) {
    return { reason: 'an IKE SA always encrypts', remedy: 'e.g. "aes256gcm16"' };
  }
  if (sorted.esn.length > 0) {
    return { reason: 'sequence numbers are a matter of ESP', remedy: 'remove "esn" and "noesn"' };
  }
  const mistake = mistakeOfCiphers(sorted) ?? mistakeOfAdditional(sorted);
  if (mistake !== undefined) return mistake;
  if (prfs.length === 0) return { reason: 'no PRF', remedy: 'e.g. "prfsha384"' };
  if (ke.length === 0 || ke.length < sorted.ke.length) {
    return { reason: 'an IKE SA always has a key exchange', remedy: 'e.g. "x25519"' };
  }
  const kem = ke.find(isKem);
  if (kem !== undefined) {
    // Alone it would stand on one new assumption, and its key does not fit into every IKE_SA_INIT unfragmented.
    return { reason: `"${kem}" as the first key exchange`, remedy: `"x25519-ke1_${kem}"` };
  }
  return { ciphers, prfs, integrity, ke, additional };
}

/** Whether a cipher of ESP keeps secrets: AES-GMAC and NULL do not. */
export const encrypts = (cipher: EspCipherName): boolean => isIkeCipher(cipher);

/** A proposal for child SAs. Without "esn" and "noesn" it has 32-bit sequence numbers. */
export function parseEspWords(text: string): EspWords | WordMistake {
  const sorted = sort(text);
  if ('reason' in sorted) return sorted;
  const { ciphers, integrity, ke, additional } = sorted;
  if (sorted.prfs.length > 0) {
    return { reason: 'the PRF is the IKE SA’s', remedy: 'remove the words in "prf"' };
  }
  if (ciphers.some(encrypts) && !ciphers.every(encrypts)) {
    return {
      reason: 'ciphers that encrypt beside ciphers that do not (policy-model 16)',
      remedy: 'one or the other',
    };
  }
  const mistake = mistakeOfCiphers(sorted) ?? mistakeOfAdditional(sorted);
  if (mistake !== undefined) return mistake;
  const esn = sorted.esn.length > 0 ? sorted.esn : [false];
  return { ciphers, integrity, esn, ke, additional };
}

// ---- Printing ------------------------------------------------------------------------------------

const keWord = (place: number, ke: string): string => (place === 0 ? ke : `ke${place}_${ke}`);

const keWords = (ke: readonly string[], additional: readonly (readonly string[])[]): string[] =>
  [ke, ...additional].flatMap((methods, place) => methods.map((ke_) => keWord(place, ke_)));

export const formatIkeWords = (words: IkeWords): string =>
  [
    ...words.ciphers.map((cipher) => CIPHER_WORDS[cipher][0]),
    ...words.integrity,
    ...words.prfs.map((prf) => `prf${prf}`),
    ...keWords(words.ke, words.additional),
  ].join('-');

export const formatEspWords = (words: EspWords): string =>
  [
    ...words.ciphers.map((cipher) => CIPHER_WORDS[cipher][0]),
    ...words.integrity,
    ...keWords(words.ke, words.additional),
    ...words.esn.map((esn) => (esn ? 'esn' : 'noesn')),
  ].join('-');
