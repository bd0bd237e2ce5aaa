// SPDX-License-Identifier: Apache-2.0
/**
 * Checks of IKE (below src/ike) that are taken away one at a time, and the test files (below test/unit/ike) in each of
 * which a test must then fail. What the addon judges of certificates is in x509.ts.
 */
import { of } from './mutation.js';

const JUDGE = of('auth/judge.ts', [
  [
    'the certificate names the address (SAN, policy-model 15)',
    'if (!ips.some((ip) => isSame(ip, remote))) {',
    'if (ips.length === 0) {',
    'auth/addresses.test.ts',
  ],
  [
    'and none outside of the SP’s ranges (policy-model 14)',
    'if (outside !== undefined) {',
    'if (outside === remote) {',
    'auth/addresses.test.ts',
  ],
  [
    'an identity that is an address is the peer’s',
    'if (named !== undefined && !isSame(named, remote)) {',
    'if (named === remote) {',
    'auth/addresses.test.ts',
    'auth/psk.test.ts',
  ],
  [
    'the certificate bears out an identity that is a name',
    'addressOf(id) !== undefined || isNamed(id, facts, state.certificates)',
    'addressOf(id) !== undefined || true || isNamed(id, facts, state.certificates)',
    'auth/addresses.test.ts',
  ],
  [
    'the methods that the SP allows, of signatures',
    '.filter((name) => trust.methods.includes(classOfScheme(name)))',
    '',
    'auth/methods.test.ts',
  ],
  ['and preshared keys', " && trust.methods.includes('psk')", '', 'auth/psk.test.ts'],
  [
    'preshared keys prove addresses alone',
    'if (addressOf(id) === undefined) {',
    'if (id === undefined) {',
    'auth/psk.test.ts',
  ],
  [
    'the preshared key’s AUTH',
    'if (!isRight) return refuse(',
    'if (anchor === "") return refuse(',
    'auth/psk.test.ts',
    'open/auth.test.ts',
  ],
  [
    'the signature',
    'if (result.ok) return true;',
    'if (result !== undefined) return true;',
    'auth/hostile.test.ts',
  ],
  [
    'exactly one ID and AUTH',
    'return found.length === 1 ? found[0] : undefined;',
    'return found[0];',
    'auth/psk.test.ts',
  ],
]);

const TRUST = of('auth/trust-store.ts', [
  [
    'the anchor is of the SP that the address is of (policy-model 14)',
    'if (anchor.sp !== trust.sp) return wrongSp(verdict.leaf, anchor, trust);',
    '',
    'auth/addresses.test.ts',
  ],
  [
    'and of no other (policy-model 14)',
    'if ((this.owners.get(key) ?? sp) !== sp) {',
    'if (sp === "") {',
    'auth/load.test.ts',
  ],
  [
    'a verdict that is not good',
    'return other ?? { ok: false, refusal: refusalOf(verdict) };',
    'if (other !== undefined) return other;\n      return accept({ ...this.valid.get("")! });',
    'auth/rogue.test.ts',
    'auth/revocation.test.ts',
  ],
  [
    'what was found good is judged again when it has expired',
    'now <= known.validUntil && ',
    '',
    'auth/addresses.test.ts',
  ],
  [
    'and when CRLs and OCSP responses have',
    ' && now <= known.knownUntil',
    '',
    'auth/revocation.test.ts',
  ],
  [
    'no anchor without being a CA',
    'if (!certificate.facts.isCa) throw',
    'if (certificate.facts === undefined) throw',
    'auth/load.test.ts',
  ],
]);

const SETUP = of('auth/setup.ts', [
  [
    'ranges of two SPs do not overlap',
    'if (other !== undefined) throw overlap(range, trust, other);',
    '',
    'auth/psk.test.ts',
  ],
  [
    'a preshared key is within its SP’s ranges',
    'if (!owners.covering(prefix.address, prefix.length).includes(trust)) {',
    'if (owners === undefined) {',
    'auth/psk.test.ts',
  ],
]);

const CHANNEL = [
  ...of('channel/channel.ts', [
    [
      'the window of message IDs (RFC 7296 §2.3)',
      'if (!this.#incoming.isInWindow(messageId)) {',
      'if (messageId < 0) {',
      'channel/hostile.test.ts',
    ],
    [
      'integrity of what is new',
      "if (inner === 'forged') {",
      'if (inner === undefined) {',
      'channel/hostile.test.ts',
    ],
    [
      'integrity of what comes again',
      "isIdentical || (isCheckable && protection.decrypt(message) !== 'forged')",
      'isIdentical || isCheckable',
      'channel/hostile.test.ts',
    ],
    [
      'our own messages sent back to us',
      "header.initiator === (role === 'initiator')",
      'header.messageId < 0',
      'channel/hostile.test.ts',
    ],
    [
      'nothing in clear but IKE_SA_INIT',
      'header.exchange !== EXCHANGE.ikeSaInit ||',
      'header.exchange < 0 ||',
      'channel/hostile.test.ts',
    ],
    [
      'and nothing in clear once there are keys',
      'this.#protection !== undefined ||\n      header.exchange',
      'header.exchange',
      'channel/hostile.test.ts',
    ],
    [
      'the responder’s SPI',
      'header.responderSpi !== this.responderSpi',
      'header.responderSpi < 0n',
      'channel/hostile.test.ts',
    ],
  ]),
  ...of('channel/incoming.ts', [
    [
      'the window’s lower end: nothing is taken twice',
      'id >= this.#base && ',
      '',
      'channel/hostile.test.ts',
    ],
    ['the window’s upper end', ' && id < this.#base + this.window', '', 'channel/hostile.test.ts'],
  ]),
];

const NEGOTIATION = [
  ...of('negotiation/esp-proposals.ts', [
    [
      'no offer of a peer encrypts and does not (policy-model 16)',
      'if (mixes(offered)) return',
      'if (offered === undefined) return',
      'negotiation/proposals.test.ts',
    ],
    [
      'and none of ours',
      'if (kinds.size > 1) throw',
      'if (kinds.size > 9) throw',
      'negotiation/proposals.test.ts',
    ],
    [
      'the answer has an encryption that was offered',
      "if (suite === undefined) return noneChosen('encryption, integrity or ESN not offered');",
      '',
      'negotiation/proposals.test.ts',
    ],
    [
      'one answer',
      'if (proposal === undefined || more.length > 0) {',
      'if (proposal === undefined) {',
      'negotiation/proposals.test.ts',
    ],
    [
      'transforms of known types alone',
      'return hasOnly(types, ALLOWED) ? [{ number: proposal.number, spi, types }] : [];',
      'return [{ number: proposal.number, spi, types }];',
      'negotiation/proposals.test.ts',
    ],
  ]),
  ...of('negotiation/ike-proposals.ts', [
    [
      'one answer, of an IKE SA',
      'if (proposal === undefined || more.length > 0) {',
      'if (proposal === undefined) {',
      'negotiation/proposals.test.ts',
    ],
    [
      'key exchanges of the answer were offered',
      "if (typeof kes === 'string') return noneChosen(kes);",
      '',
      'negotiation/proposals.test.ts',
    ],
  ]),
  ...of('negotiation/selectors.ts', [
    [
      'the answer has no more traffic than was offered',
      'if (isWhole && isOurs) return good({ local, remote });',
      'if (isWhole) return good({ local, remote });',
      'negotiation/selectors.test.ts',
    ],
    [
      'and nothing that we cannot read',
      'if (isWhole && isOurs) return good({ local, remote });',
      'if (isOurs) return good({ local, remote });',
      'negotiation/selectors.test.ts',
    ],
    [
      'the protocol of the traffic',
      'if (a.protocol !== b.protocol && a.protocol !== 0 && b.protocol !== 0) return undefined;',
      '',
      'negotiation/selectors.test.ts',
    ],
    [
      'both ways the same protocol',
      'local: local.filter(({ protocol }) => agree(protocol, remote)),',
      'local,',
      'negotiation/selectors.test.ts',
    ],
  ]),
];

const CHILD = of('child/agreement.ts', [
  [
    'transport mode where it is the rule, asked for',
    "if (policy.mode === 'transport' && !asked.isTransport) {",
    'if (asked === undefined) {',
    'child/agreement.test.ts',
  ],
  [
    'and answered',
    "if (isTransport !== (policy.mode === 'transport')) {",
    'if (isTransport === undefined) {',
    'child/agreement.test.ts',
  ],
  [
    'the application and VPN of the VPN-ID notify',
    'if (!vpnFits(policy, asked)) return',
    'if (vpnFits === undefined) return',
    'child/agreement.test.ts',
  ],
  [
    'no more child SAs than the policy has resources (RFC 9611)',
    'return free.includes(said) ? said : free[0];',
    'return free.includes(said) ? said : (free[0] ?? most);',
    'child/agreement.test.ts',
  ],
  [
    'a resource that has a child SA gets no other (RFC 9611)',
    'return free.includes(said) ? said : free[0];',
    'return said;',
    'child/agreement.test.ts',
  ],
]);

const MANAGER = [
  ...of('manager/intake.ts', [
    [
      'an IKE SA’s messages come from its peer’s address',
      'if (!isFrom(entry, datagram)) {',
      'if (isFrom === undefined) {',
      'manager/admission.test.ts',
    ],
    [
      'a token of RFC 6290 is the one that the peer gave us',
      'token === undefined || !isItself || !showsToken(octets, token)',
      'token === undefined || !isItself',
      'manager/restart.test.ts',
    ],
    [
      'tokens are not shown for IKE SAs that live',
      'if (tables.has(initiatorSpi) || tables.has(responderSpi)) return;',
      '',
      'manager/hostile.test.ts',
    ],
  ]),
  ...of('manager/admission.ts', [
    [
      'nobody outside of the rules',
      'if (policy === undefined || !authenticator.admits(addresses).ok) {',
      'if (policy === undefined) {',
      'manager/admission.test.ts',
    ],
    [
      'half-open IKE SAs in all',
      'if (all >= halfOpen.most || ',
      'if (',
      'manager/admission.test.ts',
    ],
    ['and of one peer', ' || ofPeer >= halfOpen.mostPerPeer', '', 'manager/admission.test.ts'],
    [
      'cookies when there are many',
      "if (shown !== 'right') {",
      "if (shown === 'none') {",
      'manager/admission.test.ts',
    ],
  ]),
];

const LIFE = of('sa/watch.ts', [
  [
    'a peer’s certificate that expires ends the IKE SA',
    'if ((this.#proofMs() ?? 1) <= 0) {',
    'if (own === undefined) {',
    'sa/proof.test.ts',
  ],
  [
    'a peer that does not authenticate anew (RFC 4478)',
    'if (unauthenticatedAt !== undefined && now >= unauthenticatedAt) {',
    'if (unauthenticatedAt !== undefined && now < 0) {',
    'sa/proof.test.ts',
    'manager/pair.test.ts',
  ],
  [
    'the hard lifetime of the IKE SA',
    "if (isSpent(limits, 'hard', now, undefined)) {",
    'if (limits === undefined) {',
    'sa/life.test.ts',
  ],
  [
    'and of child SAs',
    "if (isSpent(entry.limits, 'hard', now, usage)) {",
    'if (entry.limits === undefined) {',
    'sa/life.test.ts',
  ],
]);

export const IKE_MUTATIONS = [
  ...[...JUDGE, ...TRUST, ...SETUP, ...CHANNEL],
  ...[...NEGOTIATION, ...CHILD, ...MANAGER, ...LIFE],
];
