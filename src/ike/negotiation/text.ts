// SPDX-License-Identifier: Apache-2.0
/** Proposals and what was chosen of them, in the words of src/lib/ike-words.ts. */
import {
  type EspWords,
  formatEspWords,
  formatIkeWords,
  type IkeCipherName,
  type IkeWords,
  isWordMistake,
  type KeName,
  parseEspWords,
  parseIkeWords,
  type Sha2,
} from '../../lib/ike-words.js';
import {
  CIPHERS,
  INTEGRITY,
  KE_METHODS,
  type KeMethodId,
  PRFS,
  type Suite,
} from '../crypto/algorithms.js';
import { ESP_CIPHERS, type EspCipherName } from './esp-ciphers.js';
import type { Ke } from './transforms.js';
import {
  type ChosenIke,
  type EspCipher,
  type EspProposal,
  type EspSuite,
  type IkeProposal,
  KE_NONE,
} from './types.js';

/** What a text says, or why it says nothing. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string; readonly remedy: string };

const KE_BY_NAME: Readonly<Record<KeName, KeMethodId>> = {
  modp2048: 14,
  modp3072: 15,
  modp4096: 16,
  ecp256: 19,
  ecp384: 20,
  ecp521: 21,
  x25519: 31,
  mlkem512: 35,
  mlkem768: 36,
  mlkem1024: 37,
};

const keOf = (name: KeName | 'none'): Ke => (name === 'none' ? KE_NONE : KE_BY_NAME[name]);
const additionalOf = (places: IkeWords['additional']): readonly (readonly Ke[])[] =>
  places.map((place) => place.map(keOf));

export const ikeProposal = (words: IkeWords): IkeProposal => ({
  ciphers: words.ciphers.map((cipher) => CIPHERS[cipher]),
  prfs: words.prfs.map((prf) => PRFS[prf]),
  integrity: words.integrity.map((integrity) => INTEGRITY[integrity]),
  ke: words.ke.map((ke) => KE_BY_NAME[ke]),
  additional: additionalOf(words.additional),
});

export const espProposal = (words: EspWords): EspProposal => ({
  ciphers: words.ciphers.map((cipher) => ESP_CIPHERS[cipher]),
  integrity: words.integrity.map((integrity) => INTEGRITY[integrity]),
  esn: words.esn,
  ke: words.ke.map(keOf),
  additional: additionalOf(words.additional),
});

/** "aes256gcm16-prfsha384-x25519-ke1_mlkem768" */
export function parseIkeProposal(text: string): Parsed<IkeProposal> {
  const words = parseIkeWords(text);
  return isWordMistake(words) ? { ok: false, ...words } : { ok: true, value: ikeProposal(words) };
}

/** "aes128gcm16-esn-noesn-x25519" */
export function parseEspProposal(text: string): Parsed<EspProposal> {
  const words = parseEspWords(text);
  return isWordMistake(words) ? { ok: false, ...words } : { ok: true, value: espProposal(words) };
}

const keName = (ke: Ke): KeName | 'none' => (ke === KE_NONE ? 'none' : KE_METHODS[ke].name);
const keNames = (places: IkeProposal['additional']): readonly (readonly (KeName | 'none')[])[] =>
  places.map((place) => place.map(keName));

const shaOf = ({ hash }: { readonly hash: Sha2 }): Sha2 => hash;

const isEspCipherName = (name: string): name is EspCipherName => name in ESP_CIPHERS;
function espCipherName(cipher: EspCipher): EspCipherName {
  const name = Object.keys(ESP_CIPHERS)
    .filter(isEspCipherName)
    .find(
      (one) => ESP_CIPHERS[one].id === cipher.id && ESP_CIPHERS[one].keyBits === cipher.keyBits,
    );
  if (name === undefined) throw new TypeError(`cipher ${cipher.name}`);
  return name;
}

const ikeCipherName = ({ cipher }: { readonly cipher: IkeCipherName }): IkeCipherName => cipher;

export const formatIkeProposal = (proposal: IkeProposal): string =>
  formatIkeWords({
    ciphers: proposal.ciphers.map(ikeCipherName),
    prfs: proposal.prfs.map(shaOf),
    integrity: proposal.integrity.map(shaOf),
    ke: proposal.ke.map((ke) => KE_METHODS[ke].name),
    additional: keNames(proposal.additional),
  });

export const formatEspProposal = (proposal: EspProposal): string =>
  formatEspWords({
    ciphers: proposal.ciphers.map(espCipherName),
    integrity: proposal.integrity.map(shaOf),
    esn: proposal.esn,
    ke: proposal.ke.map(keName),
    additional: keNames(proposal.additional),
  });

/** "aes256gcm16-prfsha384": what protects an IKE SA. */
export const formatSuite = (suite: Suite): string =>
  formatIkeWords({
    ciphers: [suite.cipher.cipher],
    prfs: [suite.prf.hash],
    integrity: 'integrity' in suite ? [suite.integrity.hash] : [],
    ke: [],
    additional: [],
  });

/** "aes128gcm16-noesn": what protects a child SA. */
export const formatEspSuite = ({ cipher, integrity, esn }: EspSuite): string =>
  formatEspWords({
    ciphers: [espCipherName(cipher)],
    integrity: integrity === undefined ? [] : [integrity.hash],
    esn: [esn],
    ke: [],
    additional: [],
  });

/** Names of the key exchanges that were chosen, in order: "x25519", "ke1_mlkem768". */
export const formatKeyExchanges = ({
  ke,
  additional,
}: Pick<ChosenIke, 'additional'> & {
  readonly ke: KeMethodId | undefined;
}): readonly string[] => [
  ...(ke === undefined ? [] : [KE_METHODS[ke].name]),
  ...additional.map(({ place, method }) => `ke${place}_${KE_METHODS[method].name}`),
];

/** "aes256gcm16-prfsha384-x25519-ke1_mlkem768" */
export const formatIke = (chosen: ChosenIke): string =>
  [formatSuite(chosen.suite), ...formatKeyExchanges(chosen)].join('-');
