// SPDX-License-Identifier: Apache-2.0
/**
 * The trust anchors of a setup, and what was validated with them. One store belongs to one setup: with another setup,
 * or another CRL, comes another store and nothing of the old one is believed any longer.
 */
import { createHash, type KeyObject } from 'node:crypto';
import type {
  CertificateFacts,
  CertificateLibrary,
  CertificateQuestion,
  CertificateStore,
  CertificateVerdict,
} from '../../lib/certificate-api.js';
import type { IkeEnvironment } from '../types.js';
import { BoundedMap } from './bounded-map.js';
import { peerKeyOf, readCertificate, type KeyClass } from './certificate.js';
import { accept, refuse, type Judged } from './refusal.js';
import { AuthSetupError, type AuthSetup, type SpTrust } from './setup.js';
import { about, isOurs, isPathless, refusalOf } from './verdict.js';

/** A certificate whose path was found good, without the path. */
export interface ValidCertificate {
  readonly key: KeyObject;
  readonly keyClass: KeyClass;
  readonly facts: CertificateFacts;
  /** Name of the anchor. */
  readonly anchor: string;
  /** Seconds since 1970: when the first certificate of the path expires. */
  readonly validUntil: number;
  /** When CRLs or OCSP responses have to be looked at again. */
  readonly knownUntil: number;
  readonly warning: string | undefined;
}

interface Anchor {
  readonly name: string;
  readonly sp: string;
  readonly facts: CertificateFacts;
}

/** One SP's part. */
interface Domain {
  readonly anchors: readonly Anchor[];
  readonly store: CertificateStore;
}

/** Most that is remembered: 4,096 peers are some 10 MB. */
const CACHED = 4096;
/** Validations at once; who comes then comes again. */
const MOST_AT_ONCE = 256;
/** Certificates of a peer that are looked at, its own included. */
export const MOST_CERTIFICATES = 8;
export const MOST_RESPONSES = 8;

export class TrustStore {
  private readonly domains = new Map<SpTrust, Domain>();
  /** All anchors in one, to tell what is another SP's from what is nobody's; undefined: there is no other SP. */
  private readonly all: Domain | undefined;
  /** By key: each anchor belongs to exactly one SP (policy-model 14). */
  private readonly owners = new Map<string, string>();
  /** Only what was found good is kept: who has no certificate of ours cannot push anything out. */
  private readonly valid = new BoundedMap<string, ValidCertificate>(CACHED);
  private readonly env: Pick<IkeEnvironment, 'wallClock'>;
  private busy = 0;

  /** Throws AuthSetupError for certificates and CRLs that cannot be used. */
  constructor(
    setup: AuthSetup,
    env: Pick<IkeEnvironment, 'wallClock'>,
    library: CertificateLibrary | undefined,
  ) {
    this.env = env;
    const trusts = setup.sps.filter(({ anchors }) => anchors.length > 0);
    if (trusts.length === 0) return;
    if (library === undefined) throw new AuthSetupError('nothing here can validate certificates');
    for (const trust of trusts) this.domains.set(trust, this.open(trust, library));
    if (trusts.length < 2) return;
    const store = library.openStore({
      anchors: trusts.flatMap(({ anchors }) => anchors.map(({ certificate }) => certificate)),
      intermediates: trusts.flatMap(({ intermediates }) => intermediates),
      ...{ crls: [], statusRequired: false, ocspMaxAge: 0 },
    });
    this.all = { anchors: [...this.domains.values()].flatMap(({ anchors }) => anchors), store };
  }

  private open({ sp, ...trust }: SpTrust, library: CertificateLibrary): Domain {
    const anchors = trust.anchors.map(({ name, certificate }): Anchor => {
      const what = `trust anchor ${name}`;
      const facts = caOf(library, certificate, what);
      const key = Buffer.from(facts.keyHash).toString('hex');
      if ((this.owners.get(key) ?? sp) !== sp) {
        throw new AuthSetupError(`${what}: another SP has one with the same key`);
      }
      this.owners.set(key, sp);
      return { name, sp, facts };
    });
    for (const [i, der] of trust.intermediates.entries()) {
      caOf(library, der, `intermediate certificate ${i + 1} of ${sp}`);
    }
    const { mode, crls, ocspMaxAge } = trust.revocation;
    for (const [i, der] of crls.entries()) {
      const fault = library.faultOfCrl(der);
      if (fault !== undefined) throw new AuthSetupError(`CRL ${i + 1} of ${sp} ${fault}`);
    }
    const store = library.openStore({
      anchors: trust.anchors.map(({ certificate }) => certificate),
      intermediates: trust.intermediates,
      ...{ crls, statusRequired: mode === 'required', ocspMaxAge },
    });
    return { anchors, store };
  }

  /** SHA-1 of SubjectPublicKeyInfo of an SP's anchors (RFC 7296 §3.7), and their subjects, DER. */
  authoritiesOf(
    trust: SpTrust,
  ): readonly { readonly hash: Uint8Array; readonly subject: Uint8Array }[] {
    const anchors = this.domains.get(trust)?.anchors ?? [];
    return anchors.map(({ facts }) => ({ hash: facts.keyHash, subject: facts.subjectName }));
  }

  /**
   * Whether certificates of a peer, leaf first, end at an anchor of this SP. At an anchor of another SP only:
   * auth_wrong_sp. undefined: there is no room now.
   * @param ders of CERT payloads, DER
   * @param ocsp OCSP responses, DER
   */
  async validate(
    trust: SpTrust,
    ders: readonly Uint8Array[],
    ocsp: readonly Uint8Array[],
  ): Promise<Judged<ValidCertificate> | undefined> {
    const now = Math.floor(this.env.wallClock());
    const [leaf] = ders;
    if (leaf === undefined) return refuse('cert_untrusted', 'no certificate was sent');
    if (ders.length > MOST_CERTIFICATES || ocsp.length > MOST_RESPONSES) {
      return refuse('cert_malformed', 'more certificates or OCSP responses than are looked at');
    }
    const cached = cacheKey(trust, ders, ocsp);
    const known = this.valid.get(cached);
    if (known !== undefined && now <= known.validUntil && now <= known.knownUntil) {
      return accept(known);
    }
    if (this.busy >= MOST_AT_ONCE) return undefined;
    this.busy++;
    try {
      const judged = await this.judge(trust, leaf, { certificates: ders, ocsp, now });
      if (judged?.ok === true) this.valid.set(cached, judged.value);
      return judged;
    } finally {
      this.busy--;
    }
  }

  private async judge(
    trust: SpTrust,
    der: Uint8Array,
    question: CertificateQuestion,
  ): Promise<Judged<ValidCertificate> | undefined> {
    const domain = this.domains.get(trust);
    const verdict = await (domain ?? this.all)?.store.validate(question);
    if (verdict === undefined) return refuse('cert_untrusted', 'there is no trust anchor');
    if (!verdict.ok) {
      if (isOurs(verdict)) return undefined;
      const other = isPathless(verdict) ? await this.judgeElsewhere(trust, question) : undefined;
      return other ?? { ok: false, refusal: refusalOf(verdict) };
    }
    const anchor = (domain ?? this.all)?.anchors[verdict.anchor];
    if (anchor === undefined) throw new TypeError('a path that ends at no anchor');
    if (anchor.sp !== trust.sp) return wrongSp(verdict.leaf, anchor, trust);
    const keyed = peerKeyOf(verdict.leaf, der);
    if (keyed === undefined) {
      return refuse('cert_weak', 'a key that is too weak or of an unknown kind', {
        ...about(verdict.leaf),
      });
    }
    const { leaf: facts, validUntil, knownUntil, staleCrl } = verdict;
    const warning = staleCrl === undefined ? undefined : `the CRL of ${staleCrl} is too old`;
    const { key, keyClass } = keyed;
    const { name } = anchor;
    return accept({ key, keyClass, facts, anchor: name, validUntil, knownUntil, warning });
  }

  /** Whether another SP's anchors make more of it; undefined: they do not. */
  private async judgeElsewhere(
    trust: SpTrust,
    question: CertificateQuestion,
  ): Promise<ReturnType<typeof refuse> | undefined> {
    const verdict = await this.all?.store.validate({ ...question, ocsp: [] });
    if (verdict === undefined) return undefined;
    if (!verdict.ok) {
      if (isPathless(verdict) || isOurs(verdict)) return undefined;
      return { ok: false, refusal: refusalOf(verdict) };
    }
    const anchor = this.all?.anchors[verdict.anchor];
    return anchor === undefined ? undefined : wrongSp(verdict.leaf, anchor, trust);
  }
}

type Good = Extract<CertificateVerdict, { readonly ok: true }>;

/** policy-model 14: its own CA may not certify another SP's addresses. */
const wrongSp = (
  leaf: Good['leaf'],
  { name, sp }: Anchor,
  trust: SpTrust,
): ReturnType<typeof refuse> =>
  refuse('auth_wrong_sp', `certified by SP ${sp}, but the address is one of SP ${trust.sp}`, {
    ...about(leaf),
    anchor: name,
  });

function caOf(library: CertificateLibrary, der: Uint8Array, what: string): CertificateFacts {
  const certificate = readCertificate(library, der);
  if (certificate === undefined) throw new AuthSetupError(`${what} cannot be read`);
  if (!certificate.facts.isCa) throw new AuthSetupError(`${what} is not a CA's certificate`);
  if (certificate.keyClass === undefined) throw new AuthSetupError(`${what} has a weak key`);
  return certificate.facts;
}

/** One hash of everything that a judgement depends on, but for the setup and the time. */
function cacheKey(
  { sp }: SpTrust,
  ders: readonly Uint8Array[],
  ocsp: readonly Uint8Array[],
): string {
  const hash = createHash('sha256').update(`${sp}\n${ders.length}\n${ocsp.length}\n`);
  for (const octets of [...ders, ...ocsp]) hash.update(`${octets.length}\n`).update(octets);
  return hash.digest('base64');
}
