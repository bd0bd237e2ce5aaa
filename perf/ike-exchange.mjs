// SPDX-License-Identifier: Apache-2.0
// The halves of IKE_SA_INIT, IKE_INTERMEDIATE and IKE_AUTH for the load generator: codec and cryptography of
// the product, nothing of its machines. One suite: AES-128-GCM, HMAC-SHA-256, X25519 [and ML-KEM-768].
import { Buffer } from 'node:buffer';
import { createHash, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';

const root = process.env['SEALANE_JS'] ?? new URL('../build/js', import.meta.url).pathname;
const { encodeMessage, decodeMessage } = await import(`${root}/ike/codec/message.js`);
const { encodeChain, decodeChain } = await import(`${root}/ike/codec/chain.js`);
const { CIPHERS, KE_METHODS, PRFS } = await import(`${root}/ike/crypto/algorithms.js`);
const { agree, answer, offer, offerSeedBytes, answerSeedBytes } = await import(
  `${root}/ike/crypto/groups.js`
);
const { ikeKeys, initialSkeyseed, nextSkeyseed } = await import(`${root}/ike/crypto/kdf.js`);
const { intAuth, pskAuth, signedOctets } = await import(`${root}/ike/crypto/auth.js`);
const { createOpener, createSealer } = await import(`${root}/ike/crypto/protect.js`);
const { SCHEMES, signOctets, verifyOctets } = await import(`${root}/ike/crypto/signatures.js`);

const prf = PRFS.sha256;
export const SUITE = { prf, cipher: CIPHERS['aes-128-gcm'] };
export const EXCHANGE = { init: 34, auth: 35, informational: 37, intermediate: 43 };
const NOTIFY = {
  ...{ initialContact: 16384, natSource: 16388, natDestination: 16389, cookie: 16390 },
  transportMode: 16391,
  ...{ childless: 16418, intermediate: 16438, hashes: 16431 },
};
const X25519 = 31;
const ML_KEM_768 = 36;
const NOTHING = new Uint8Array(0);
const SK_HEADERS = 32;

export const notify = (type, data = NOTHING) => ({
  ...{ kind: 'N', protocol: 0, spi: NOTHING, notify: type, data },
});
export const find = (payloads, kind) => payloads.find((payload) => payload.kind === kind);
export const findNotify = (payloads, type) =>
  payloads.find((payload) => payload.kind === 'N' && payload.notify === type);
export const cookieOf = (payloads) => findNotify(payloads, NOTIFY.cookie)?.data;
/** The first error notify, or undefined. */
export const errorOf = (payloads) =>
  payloads.find((payload) => payload.kind === 'N' && payload.notify < 16384)?.notify;

const ikeTransforms = (kem) => [
  { type: 1, id: 20, keyLength: 128, attributes: [] },
  { type: 2, id: 5, attributes: [] },
  { type: 4, id: X25519, attributes: [] },
  ...(kem ? [{ type: 6, id: ML_KEM_768, attributes: [] }] : []),
];
const proposalOf = (kem, number = 1) => ({
  kind: 'SA',
  proposals: [{ number, protocol: 1, spi: NOTHING, transforms: ikeTransforms(kem) }],
});

const spiOctets = (spi) => {
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64BE(spi);
  return octets;
};
export const newSpi = () => randomBytes(8).readBigUInt64BE() | 1n;
export const addressOctets = (address) => Buffer.from(address.split('.').map(Number));

/** RFC 7296 §2.23: SHA-1(SPIs | address | port). */
function natDetection(type, spis, { address, port }) {
  const at = Buffer.alloc(2);
  at.writeUInt16BE(port);
  const hash = createHash('sha1');
  for (const part of [...spis, addressOctets(address), at]) hash.update(part);
  return notify(type, hash.digest());
}
const natPayloads = (initiatorSpi, responderSpi, { local, remote }) => {
  const spis = [spiOctets(initiatorSpi), spiOctets(responderSpi)];
  return [
    natDetection(NOTIFY.natSource, spis, local),
    natDetection(NOTIFY.natDestination, spis, remote),
  ];
};
/** SHA2-256, 384, 512. */
const hashAlgorithms = notify(NOTIFY.hashes, Buffer.from([0, 2, 0, 3, 0, 4]));

function must(result, what) {
  if (!result.ok) throw new Error(`${what}: ${result.error.code}`);
  return result.value;
}

/** What one side authenticates with: `psk`, or `scheme`, `key`, `certificate` (DER), `authority` (DER). */
export function credentialOf({ psk, scheme, keyPem, certificateDer, authorityDer }) {
  if (psk !== undefined) return { psk: Buffer.from(psk) };
  const authority = new X509Certificate(authorityDer);
  const spki = authority.publicKey.export({ format: 'der', type: 'spki' });
  const key = typeof keyPem === 'string' ? createPrivateKey(keyPem) : keyPem;
  const authorities = createHash('sha1').update(spki).digest();
  return { scheme, key, certificate: certificateDer, authorities };
}

const certificateRequest = ({ authorities }) =>
  authorities === undefined ? [] : [{ kind: 'CERTREQ', encoding: 4, authorities }];

const peerKeys = new Map();
/** Public key of a certificate, kept: the other side has one certificate. */
function publicKeyOf(der) {
  const name = Buffer.from(der).toString('latin1');
  if (!peerKeys.has(name) && peerKeys.size < 16) {
    peerKeys.set(name, new X509Certificate(der).publicKey);
  }
  return peerKeys.get(name) ?? new X509Certificate(der).publicKey;
}

/** One IKE SA, either side. */
export class LoadSa {
  /**
   * @param path {local, remote}: each {address, port}
   * @param initialContact it says that it has no other IKE SA with this peer (RFC 7296 §2.4)
   */
  constructor(role, { path, kem, child, credential, initialContact = false }) {
    this.role = role;
    Object.assign(this, { path, kem, child, credential, initialContact });
    this.nonces = {};
    this.messages = {};
    this.nextId = 0;
    this.intAuth = {};
  }

  get own() {
    return this.role;
  }
  get other() {
    return this.role === 'initiator' ? 'responder' : 'initiator';
  }

  header(exchange, messageId, response) {
    const { initiatorSpi, responderSpi, role } = this;
    const initiator = role === 'initiator';
    return { initiatorSpi, responderSpi, exchange, messageId, response, initiator };
  }

  /** IKE_SA_INIT of an initiator; again with a cookie. */
  initRequest(cookie) {
    if (this.initiatorSpi === undefined) {
      this.initiatorSpi = newSpi();
      this.responderSpi = 0n;
      this.nonces.initiator = randomBytes(32);
      const method = KE_METHODS[X25519];
      this.offer = offer(method, randomBytes(offerSeedBytes(method)));
    }
    const payloads = [
      ...(cookie === undefined ? [] : [notify(NOTIFY.cookie, cookie)]),
      proposalOf(this.kem),
      { kind: 'KE', method: X25519, data: this.offer.publicData },
      { kind: 'Nonce', data: this.nonces.initiator },
      ...natPayloads(this.initiatorSpi, 0n, this.path),
      hashAlgorithms,
      ...(this.kem ? [notify(NOTIFY.intermediate)] : []),
    ];
    const { octets } = encodeMessage(this.header(EXCHANGE.init, 0, false), payloads);
    this.messages.initiator = octets;
    return octets;
  }

  takeInitResponse({ header, payloads }, octets) {
    this.responderSpi = header.responderSpi;
    this.messages.responder = Uint8Array.from(octets);
    this.nonces.responder = Uint8Array.from(find(payloads, 'Nonce').data);
    const shared = must(
      agree(KE_METHODS[X25519], this.offer.secret, find(payloads, 'KE').data),
      'X25519',
    );
    this.derive(shared);
    this.nextId = 1;
  }

  /** IKE_SA_INIT of a responder: the whole answer. */
  initResponse({ header, payloads }, octets) {
    this.initiatorSpi = header.initiatorSpi;
    this.responderSpi = newSpi();
    this.messages.initiator = Uint8Array.from(octets);
    this.nonces.initiator = Uint8Array.from(find(payloads, 'Nonce').data);
    this.nonces.responder = randomBytes(32);
    const method = KE_METHODS[X25519];
    const seed = randomBytes(answerSeedBytes(method));
    const { publicData, shared } = must(answer(method, seed, find(payloads, 'KE').data), 'X25519');
    const number = find(payloads, 'SA').proposals[0].number;
    const response = encodeMessage(this.header(EXCHANGE.init, 0, true), [
      proposalOf(this.kem, number),
      { kind: 'KE', method: X25519, data: publicData },
      { kind: 'Nonce', data: this.nonces.responder },
      ...natPayloads(this.initiatorSpi, this.responderSpi, this.path),
      notify(NOTIFY.childless),
      hashAlgorithms,
      ...(this.kem ? [notify(NOTIFY.intermediate)] : []),
      ...certificateRequest(this.credential),
    ]).octets;
    this.messages.responder = response;
    this.derive(shared);
    return response;
  }

  derive(shared) {
    const seed = initialSkeyseed(prf, this.nonces, shared);
    this.useKeys(seed);
  }

  useKeys(skeyseed) {
    const spis = {
      initiator: spiOctets(this.initiatorSpi),
      responder: spiOctets(this.responderSpi),
    };
    const keys = ikeKeys(SUITE, skeyseed, this.nonces, spis);
    const direction = (encryption, integrity) => ({ encryption, integrity });
    const [i, r] = [direction(keys.ei, keys.ai), direction(keys.er, keys.ar)];
    const [send, receive] = this.role === 'initiator' ? [i, r] : [r, i];
    this.sealer = createSealer(SUITE, send, { random: randomBytes });
    this.opener = createOpener(SUITE, receive);
    this.keys = keys;
    this.skP = { initiator: keys.pi, responder: keys.pr };
  }

  /** A protected message; of IKE_INTERMEDIATE its part of IntAuth is kept. */
  seal(exchange, messageId, response, payloads) {
    const { first, octets: inner } = encodeChain(payloads);
    const body = new Uint8Array(this.sealer.sealedLength(inner.length));
    const header = this.header(exchange, messageId, response);
    const { octets } = encodeMessage(header, [{ kind: 'SK', firstInner: first, body }]);
    octets.set(must(this.sealer.seal(octets.subarray(0, SK_HEADERS), inner), 'seal'), SK_HEADERS);
    if (exchange === EXCHANGE.intermediate) this.cover(this.own, octets, SK_HEADERS - 4, inner);
    return octets;
  }

  /** The payloads of a protected message, undefined when it is none of this SA. */
  open(octets) {
    const message = decodeMessage(octets, 0, octets.length);
    if ('fault' in message || message.protection === undefined) return undefined;
    const { header, payloads, protection } = message;
    const { headerAt, bodyAt, end } = protection;
    const opened = this.opener.open(octets.subarray(0, bodyAt), octets.subarray(bodyAt, end));
    if (!opened.ok) return undefined;
    const inner = opened.value;
    const chain = decodeChain(inner, payloads.at(-1).firstInner, 0, inner.length);
    if ('fault' in chain) throw new Error(chain.reason);
    if (header.exchange === EXCHANGE.intermediate) this.cover(this.other, octets, headerAt, inner);
    return { header, payloads: chain.payloads };
  }

  /** RFC 9242 §3.3.2. */
  cover(side, octets, headerAt, inner) {
    const a = Buffer.from(octets.subarray(0, headerAt + 4));
    a.writeUInt32BE(a.length + inner.length, 24);
    a.writeUInt16BE(4 + inner.length, headerAt + 2);
    this.intAuth[side] = intAuth(prf, this.skP[side], this.intAuth[side], a, inner);
  }

  /** KE of ML-KEM-768, initiator's half. */
  intermediateRequest() {
    const method = KE_METHODS[ML_KEM_768];
    this.kemOffer = offer(method, randomBytes(offerSeedBytes(method)));
    const payload = { kind: 'KE', method: ML_KEM_768, data: this.kemOffer.publicData };
    return this.seal(EXCHANGE.intermediate, this.nextId++, false, [payload]);
  }

  takeIntermediateResponse(payloads) {
    const data = find(payloads, 'KE').data;
    this.mix(must(agree(KE_METHODS[ML_KEM_768], this.kemOffer.secret, data), 'ML-KEM'));
  }

  intermediateResponse({ header, payloads }) {
    const method = KE_METHODS[ML_KEM_768];
    const seed = randomBytes(answerSeedBytes(method));
    const both = must(answer(method, seed, find(payloads, 'KE').data), 'ML-KEM');
    const payload = { kind: 'KE', method: ML_KEM_768, data: both.publicData };
    const response = this.seal(EXCHANGE.intermediate, header.messageId, true, [payload]);
    this.mix(both.shared);
    return response;
  }

  mix(shared) {
    this.useKeys(nextSkeyseed(prf, this.keys.d, this.nonces, shared));
  }

  /** What a side's AUTH is over. */
  signed(side, identity) {
    const { messages, nonces, skP } = this;
    const other = side === 'initiator' ? 'responder' : 'initiator';
    const signer = {
      ...{ message: messages[side], peerNonce: nonces[other], skP: skP[side] },
      identity: Buffer.concat([Buffer.from([identity.idType, 0, 0, 0]), identity.data]),
    };
    if (!this.kem) return signedOctets(prf, signer);
    const id = Buffer.alloc(4);
    id.writeUInt32BE(this.kem ? 2 : 1);
    const { initiator, responder } = this.intAuth;
    return signedOctets(prf, { ...signer, intAuth: Buffer.concat([initiator, responder, id]) });
  }

  /** ID, [CERT,] AUTH of this side, and the child if one is wanted. */
  authPayloads() {
    const { credential } = this;
    const kind = this.role === 'initiator' ? 'IDi' : 'IDr';
    const identity = { idType: 1, reserved: 0, data: addressOctets(this.path.local.address) };
    const octets = this.signed(this.own, identity);
    const id = { kind, ...identity };
    const { scheme, key, certificate } = credential;
    if (scheme === undefined) {
      return [id, { kind: 'AUTH', method: 2, data: pskAuth(prf, credential.psk, octets) }];
    }
    const { method, identifier } = SCHEMES[scheme];
    const data = must(signOctets(scheme, key, octets), 'signature');
    return [
      ...[id, { kind: 'CERT', encoding: 4, data: certificate }],
      ...(this.role === 'initiator' ? certificateRequest(credential) : []),
      { kind: 'AUTH', method, ...(identifier && { algorithm: identifier }), data },
    ];
  }

  /** One GRE transport-mode child between the two addresses: what we offer, or what we answer. */
  childPayloads(offered) {
    if (!this.child) return [];
    const chosen = offered && find(offered, 'SA').proposals[0];
    const spi = randomBytes(4);
    spi[0] |= 1;
    this.childSpi = spi.readUInt32BE();
    const transforms = [
      { type: 1, id: 20, keyLength: 128, attributes: [] },
      { type: 5, id: 0, attributes: [] },
    ];
    const number = chosen?.number ?? 1;
    const { local, remote } = this.path;
    const [i, r] = this.role === 'initiator' ? [local, remote] : [remote, local];
    const selector = ({ address }) => {
      const octets = addressOctets(address);
      return {
        ...{ tsType: 7, ipProtocol: 47, startPort: 0, endPort: 65535 },
        ...{ startAddress: octets, endAddress: octets },
      };
    };
    return [
      notify(NOTIFY.transportMode),
      {
        kind: 'SA',
        proposals: [{ number, protocol: 3, spi, transforms: chosen?.transforms ?? transforms }],
      },
      { kind: 'TSi', selectors: [selector(i)] },
      { kind: 'TSr', selectors: [selector(r)] },
    ];
  }

  authRequest() {
    const first = this.initialContact ? [notify(NOTIFY.initialContact)] : [];
    const payloads = [...this.authPayloads(), ...first, ...this.childPayloads()];
    return this.seal(EXCHANGE.auth, this.nextId++, false, payloads);
  }

  /** Throws when the other side did not prove who it is, or refused. */
  checkAuth(payloads) {
    const error = errorOf(payloads);
    const auth = find(payloads, 'AUTH');
    if (auth === undefined || (error !== undefined && this.child)) {
      throw new Error(`refused: notify ${error}`);
    }
    const chosen = find(payloads, 'SA')?.proposals[0];
    if (this.child && chosen === undefined) throw new Error('no child SA');
    if (chosen !== undefined) this.peerChildSpi = Buffer.from(chosen.spi).readUInt32BE();
    const identity = find(payloads, this.role === 'initiator' ? 'IDr' : 'IDi');
    const octets = this.signed(this.other, identity);
    const { scheme, psk } = this.credential;
    if (scheme === undefined) {
      if (!pskAuth(prf, psk, octets).equals(auth.data)) throw new Error('wrong AUTH');
      return;
    }
    const certificate = find(payloads, 'CERT');
    if (certificate === undefined) throw new Error('no certificate');
    must(verifyOctets(scheme, publicKeyOf(certificate.data), octets, auth.data), 'AUTH');
  }

  authResponse({ header, payloads }) {
    this.checkAuth(payloads);
    const answerPayloads = [...this.authPayloads(), ...this.childPayloads(payloads)];
    return this.seal(EXCHANGE.auth, header.messageId, true, answerPayloads);
  }
}

export { decodeMessage };
