// SPDX-License-Identifier: Apache-2.0
/** Certificates that are wrong in one way, and what comes of showing them. One yard per test file. */
import { randomUUID } from 'node:crypto';
import type { PeerIdentity } from '../../../../src/ike/auth/api.js';
import type { Outcome } from '../../../../src/ike/types.js';
import {
  issue,
  makeCa,
  opensslVerify,
  type Ca,
  type CaOptions,
  type CertificateOptions,
  type Issued,
} from '../../../lib/pki.js';
import { A, crlDer, judge, pkiFolder, present } from './certified.js';
import type { Peer } from './peers.js';

/** The SAN of a leaf, if nothing else is said: A. */
export const IP = ['192.0.2.1'];

export interface Rogue {
  readonly leaf: Issued;
  readonly issuers?: readonly Issued[];
  /** PEM; then the judge requires to know the status. */
  readonly crls?: readonly string[];
  /** Whom the judge trusts, default `root`. */
  readonly anchors?: readonly Ca[];
}

export class Yard {
  readonly folder = pkiFolder();
  readonly root = makeCa(this.folder, 'root');
  /** An authority that the judge does not trust, or trusts for another SP. */
  readonly foreign = makeCa(this.folder, 'foreign');

  name(): string {
    return randomUUID().slice(0, 13);
  }

  /** A root of its own. */
  ca(options: CaOptions = {}): Ca {
    return makeCa(this.folder, this.name(), options);
  }

  caUnder(issuer: Ca, options: CaOptions = {}): Ca {
    return this.ca({ issuer, ...options });
  }

  leaf(options: Partial<CertificateOptions> = {}, ca = this.root): Issued {
    return issue(ca, { name: this.name(), ip: IP, ...options });
  }

  /** One intermediate with options, a leaf below it. */
  below(options: CaOptions = {}, leaf: Partial<CertificateOptions> = {}): Rogue {
    const ca = this.caUnder(this.root, options);
    return { leaf: this.leaf(leaf, ca), issuers: [ca] };
  }

  /** A leaf with which certificates are issued all the same. */
  asCa(leaf: Issued): Ca {
    return { ...this.ca(), ...leaf, issuer: undefined };
  }

  judgeOf({ anchors = [this.root], crls = [] }: Rogue): Peer {
    const mode = crls.length > 0 ? 'required' : 'if-available';
    const revocation = {
      mode,
      crls: crls.map(crlDer),
      askOcsp: false,
      ocspMaxAge: 86_400,
    } as const;
    return judge(anchors, { revocation });
  }

  /** What B makes of a peer at A that shows these certificates. */
  tryIt(rogue: Rogue, to = this.judgeOf(rogue)): Promise<Outcome<PeerIdentity>> {
    return present(rogue, to, { idType: 1, data: A });
  }

  openssl({ leaf, issuers = [], crls = [], anchors = [this.root] }: Rogue): string | undefined {
    return opensslVerify(anchors, leaf, { intermediates: issuers, crls });
  }
}
