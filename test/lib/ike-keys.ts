// SPDX-License-Identifier: Apache-2.0
/** Keys of IKE SAs from strongSwan's log, and which of them belong to which IKE SA of a capture. */
import type { TsharkIkeSa } from './ike-tshark.js';
import { createDecipheriv, createHmac } from 'node:crypto';

/** SK_ei, SK_er (for AEADs with the salt behind), SK_ai, SK_ar (empty for AEADs). */
export interface IkeKeys {
  readonly ei: Buffer;
  readonly er: Buffer;
  readonly ai: Buffer;
  readonly ar: Buffer;
}

/** `HH:MM:SS nn[IKE] NAME => n bytes @ 0x..`, then lines of 16 octets in hexadecimal. */
export function charonKeys(log: string): IkeKeys[] {
  const found: { name: string; key: Buffer }[] = [];
  // Lines of several threads may stand between each other: a thread's number binds its own together.
  const open = new Map<string, { name: string; key: Buffer; bytes: number }>();
  for (const line of log.split('\n')) {
    const [, thread, rest] = /^\S+ (\d+)\[IKE\] (.*)$/.exec(line) ?? [];
    if (thread === undefined || rest === undefined) continue;
    const [, name, bytes] = /^Sk_(\w\w?) secret => (\d+) bytes/.exec(rest) ?? [];
    if (name !== undefined) open.set(thread, { name, key: Buffer.alloc(0), bytes: Number(bytes) });
    const octets = /^ +\d+: ((?:[0-9A-F]{2} )+)/.exec(rest)?.[1];
    const current = open.get(thread);
    if (octets === undefined || current === undefined) continue;
    const more = Buffer.from(octets.replaceAll(' ', ''), 'hex');
    current.key = Buffer.concat([current.key, more]).subarray(0, current.bytes);
    if (current.key.length < current.bytes) continue;
    found.push({ name: current.name, key: current.key });
    open.delete(thread);
  }
  const of = (name: string): Buffer[] => found.filter((f) => f.name === name).map((f) => f.key);
  const [ei, er, ai, ar, d] = [of('ei'), of('er'), of('ai'), of('ar'), of('d')];
  if (ei.length !== er.length || ei.length !== d.length) throw new Error('keys in the log: uneven');
  // Only IKE SAs without an AEAD have SK_a: told by the length of SK_e.
  const isAead = (key: Buffer): boolean => key.length % 8 === 4;
  let macs = 0;
  return ei.map((key, i) => {
    const at = isAead(key) ? undefined : macs++;
    const mac = (list: Buffer[]): Buffer => (at === undefined ? Buffer.alloc(0) : list[at]!);
    return { ei: key, er: er[i]!, ai: mac(ai), ar: mac(ar) };
  });
}

const SK = 46;
const SKF = 53;
const AEADS = ['aes-128-gcm', 'aes-256-gcm', 'chacha20-poly1305'] as const;
const HMACS: Readonly<Record<number, 'sha256' | 'sha384' | 'sha512'>> = {
  32: 'sha256',
  48: 'sha384',
  64: 'sha512',
};

/** Name of the encryption when the message is protected by these keys. */
function fits(
  message: Buffer,
  keys: IkeKeys,
): TsharkIkeSa['encryption'] | 'chacha20-poly1305' | undefined {
  const fromInitiator = ((message[19] ?? 0) & 8) !== 0;
  const key = fromInitiator ? keys.ei : keys.er;
  const mac = fromInitiator ? keys.ai : keys.ar;
  const ivAt = 28 + (message[16] === SKF ? 8 : 4);
  if (mac.length > 0) {
    const hash = HMACS[mac.length] ?? 'sha256';
    const size = mac.length / 2;
    const wanted = createHmac(hash, mac).update(message.subarray(0, -size)).digest();
    const isRight = wanted.subarray(0, size).equals(message.subarray(-size));
    if (!isRight) return undefined;
    return key.length === 16 ? 'aes-128-cbc' : 'aes-256-cbc';
  }
  const nonce = Buffer.concat([key.subarray(-4), message.subarray(ivAt, ivAt + 8)]);
  for (const name of AEADS) {
    if ((name === 'aes-128-gcm' ? 20 : 36) !== key.length) continue;
    // Both kinds take the same options; the types know of each alone.
    const opener =
      name === 'chacha20-poly1305'
        ? createDecipheriv(name, key.subarray(0, -4), nonce, { authTagLength: 16 })
        : createDecipheriv(name, key.subarray(0, -4), nonce, { authTagLength: 16 });
    const sealed = message.subarray(ivAt + 8, -16);
    opener.setAAD(message.subarray(0, ivAt), { plaintextLength: sealed.length });
    opener.setAuthTag(message.subarray(-16));
    opener.update(sealed);
    try {
      opener.final();
      return name;
    } catch {
      continue;
    }
  }
  return undefined;
}

/** The IKE SA of a protected message, or why it cannot be opened. */
function saOf(message: Buffer, candidates: readonly IkeKeys[]): TsharkIkeSa | string {
  for (const keys of candidates) {
    const name = fits(message, keys);
    if (name === undefined) continue;
    if (name === 'chacha20-poly1305') return name;
    return {
      ...keys,
      ...{
        initiatorSpi: message.readBigUInt64BE(0),
        responderSpi: message.readBigUInt64BE(8),
      },
      ...{ encryption: name, integrity: HMACS[keys.ai.length] ?? 'none' },
    };
  }
  return 'no keys';
}

/**
 * Which keys of `candidates` belong to which IKE SA of these messages (header to checksum). IKE SAs without keys,
 * and those with ChaCha20-Poly1305, which Wireshark does not know, are in `closed`, by their two SPIs.
 */
export function assignKeys(
  messages: readonly Buffer[],
  candidates: readonly IkeKeys[],
): { readonly sas: TsharkIkeSa[]; readonly closed: ReadonlyMap<string, string> } {
  const sas = new Map<string, TsharkIkeSa>();
  const closed = new Map<string, string>();
  for (const message of messages) {
    if (message[16] !== SK && message[16] !== SKF) continue;
    const spis = message.toString('hex', 0, 16);
    if (sas.has(spis)) continue;
    const sa = saOf(message, candidates);
    if (typeof sa === 'string') closed.set(spis, sa);
    else sas.set(spis, sa);
  }
  return { sas: [...sas.values()], closed };
}
