// SPDX-License-Identifier: Apache-2.0
/** Every payload by its notation in RFC 7296 §1.2, and its codec. */
import type { PayloadCodec } from './payload-codec.js';
import { type Authentication, authentication } from './payloads/authentication.js';
import { type Certificate, certificate } from './payloads/certificate.js';
import { type CertificateRequest, certificateRequest } from './payloads/certificate-request.js';
import { type Configuration, configuration } from './payloads/configuration.js';
import { type Delete, deletePayload } from './payloads/delete.js';
import { type Encrypted, encrypted } from './payloads/encrypted.js';
import { type EncryptedFragment, encryptedFragment } from './payloads/encrypted-fragment.js';
import {
  type Identification,
  identificationInitiator,
  identificationResponder,
} from './payloads/identification.js';
import { type KeyExchange, keyExchange } from './payloads/key-exchange.js';
import { type Nonce, nonce } from './payloads/nonce.js';
import { type Notify, notify } from './payloads/notify.js';
import { eap, type Opaque, vendorId } from './payloads/opaque.js';
import { type SecurityAssociation, securityAssociation } from './payloads/security-association.js';
import {
  type TrafficSelectors,
  trafficSelectorsInitiator,
  trafficSelectorsResponder,
} from './payloads/traffic-selectors.js';

/** The body of each kind. */
export interface PayloadBodies {
  readonly SA: SecurityAssociation;
  readonly KE: KeyExchange;
  readonly IDi: Identification;
  readonly IDr: Identification;
  readonly CERT: Certificate;
  readonly CERTREQ: CertificateRequest;
  readonly AUTH: Authentication;
  /** Ni or Nr, by who sends it. */
  readonly Nonce: Nonce;
  readonly N: Notify;
  readonly D: Delete;
  readonly V: Opaque;
  readonly TSi: TrafficSelectors;
  readonly TSr: TrafficSelectors;
  readonly SK: Encrypted;
  readonly CP: Configuration;
  readonly EAP: Opaque;
  readonly SKF: EncryptedFragment;
}

export type PayloadKind = keyof PayloadBodies;
export type PayloadOf<Kind extends PayloadKind> = {
  [K in Kind]: { readonly kind: K } & PayloadBodies[K];
}[Kind];

/** Of a type that is not in the table: kept and skipped (RFC 7296 §2.5). */
export interface UnknownPayload {
  readonly kind: 'unknown';
  readonly type: number;
  /** Never set in one that was decoded: such a message is refused. */
  readonly critical: boolean;
  readonly data: Uint8Array;
}

export type Payload = PayloadOf<PayloadKind> | UnknownPayload;

export const PAYLOADS: { readonly [K in PayloadKind]: PayloadCodec<PayloadBodies[K]> } = {
  SA: securityAssociation,
  KE: keyExchange,
  IDi: identificationInitiator,
  IDr: identificationResponder,
  CERT: certificate,
  CERTREQ: certificateRequest,
  AUTH: authentication,
  Nonce: nonce,
  N: notify,
  D: deletePayload,
  V: vendorId,
  TSi: trafficSelectorsInitiator,
  TSr: trafficSelectorsResponder,
  SK: encrypted,
  CP: configuration,
  EAP: eap,
  SKF: encryptedFragment,
};
