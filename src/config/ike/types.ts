// SPDX-License-Identifier: Apache-2.0
/** The `ike` section of the configuration. Secrets are never in it, only the names of files, mode 0600. */

export type IkeMethod = 'psk' | 'rsa' | 'ecdsa' | 'ed25519';

/** Proposals of child SAs, in order of preference, in the words of docs/configuration.md; empty: none of that protection. */
export interface IkeEsp {
  /** Default "aes128gcm16-aes256gcm16-x25519-none". */
  readonly encrypt?: readonly string[];
  /** Authenticate-only (policy-model 16); default "aes128gmac-aes256gmac-x25519-none". */
  readonly authenticate?: readonly string[];
}

/** What this PE proves itself with. */
export interface IkeCredential {
  /** PEM: the certificate, then those of its issuers; its IP SANs are the tunnel addresses it is for. */
  readonly certificate: string;
  /** PEM, mode 0600. */
  readonly key: string;
  /** SPs whose PEs it is shown to; default all. */
  readonly sps?: readonly string[];
  /** A current OCSP response for it, DER, sent to who asks (RFC 4806). */
  readonly ocspResponse?: string;
  /** How an RSA key signs where the peer leaves it open; default 'pss'. */
  readonly rsaPadding?: 'pss' | 'pkcs1';
}

export interface IkeAnchor {
  /** PEM: one certificate of a CA. */
  readonly file: string;
}

export interface IkePsk {
  /** The PEs that have it: an address, or a prefix; the longest wins. */
  readonly remote: string;
  /** Mode 0600; its octets without a line end are the key, 16 at least. */
  readonly file: string;
}

/** RFC 8784. */
export interface IkePpk {
  /** Of 1 to 63 octets, the same at the peers. */
  readonly id: string;
  /** Mode 0600; its octets without a line end are the key, 32 at least. */
  readonly file: string;
  /** false: peers without it are taken as well; default true. */
  readonly required?: boolean;
}

/** The PEs of one SP (policy-model 14). */
export interface IkeProvider {
  /** Tunnel addresses of its PEs. No two SPs' ranges overlap. */
  readonly ranges: readonly string[];
  /** CAs whose certificates its PEs have, by name. */
  readonly anchors?: Readonly<Record<string, IkeAnchor>>;
  /** PEM: certificates of CAs that peers need not send; not trusted by themselves. */
  readonly intermediates?: readonly string[];
  /** PEM or DER. */
  readonly crls?: readonly string[];
  /** 'required': no SA unless a CRL or an OCSP response says that the certificate is good. Default 'if-available'. */
  readonly revocation?: 'if-available' | 'required';
  /** Asks peers for OCSP responses (RFC 4806); default false. */
  readonly askOcsp?: boolean;
  /** Seconds that an OCSP response without nextUpdate is good for; default 86400. */
  readonly ocspMaxAge?: number;
  readonly psks?: Readonly<Record<string, IkePsk>>;
  /** How its PEs authenticate, and how we do to them, in order of preference; default all that the rest allows. */
  readonly methods?: readonly IkeMethod[];
  /** NAT between PEs (policy-model 15); default 'refuse'. */
  readonly nat?: 'refuse' | 'allow';
  readonly ppk?: IkePpk;
  /** Instead of those of the whole. */
  readonly proposals?: readonly string[];
  readonly esp?: IkeEsp;
}

/** When SAs are replaced; 0: never. They end a quarter (of traffic) or a tenth (of time, 60 s at least) later. */
export interface IkeLifetimes {
  readonly ike?: { readonly seconds?: number }; // default 14400
  readonly child?: {
    readonly seconds?: number; // default 3600
    readonly bytes?: number; // default 0
    readonly packets?: number; // default 3000000000, of 2^32 - 1 sequence numbers
  };
  /** Share that is taken off at random, 0..0.5; default 0.1. */
  readonly jitter?: number;
}

/** RFC 7296 §2.4. */
export interface IkeRetransmission {
  /** Until a request is first sent again, milliseconds; default 1000. */
  readonly firstMs?: number;
  /** Each further wait is so much longer, 1..4; default 1.8. */
  readonly factor?: number;
  /** How often a request is sent before the peer is dead, 1..20; default 6. */
  readonly tries?: number;
  /** Share of each wait that is random, 0..0.5; default 0.1. */
  readonly jitter?: number;
}

/** IKE SAs that others began and that are not authenticated yet. */
export interface IkeLimits {
  /** Above so many an initiator must return a cookie first (RFC 7296 §2.6); default 200. */
  readonly cookieAbove?: number;
  /** Above so many no other is begun; default 4000. */
  readonly halfOpen?: number;
  /** From one address; default 5. */
  readonly halfOpenPerPeer?: number;
  /** Seconds until one is given up; default 30. */
  readonly halfOpenTimeout?: number;
}

export interface Ike {
  /**
   * Proposals of IKE SAs, in order of preference; default the same algorithms with ML-KEM-768 behind the first key
   * exchange, and without it for peers that do not know RFC 9370.
   */
  readonly proposals?: readonly string[];
  readonly esp?: IkeEsp;
  readonly credentials?: Readonly<Record<string, IkeCredential>>;
  /** By name of the SP, the own one or another; PEs of others are nobody we talk to. */
  readonly providers: Readonly<Record<string, IkeProvider>>;
  readonly lifetimes?: IkeLifetimes;
  /**
   * Seconds after which peers have to authenticate anew (RFC 4478), 0: never; default 0. An IKE SA whose peer does not
   * ends a tenth of that later, 60 s at least.
   */
  readonly reauthentication?: number;
  /** Seconds of silence after which a peer is asked whether it lives; default 30. */
  readonly dpd?: number;
  readonly retransmission?: IkeRetransmission;
  /** Largest IP packet that IKE sends, octets (RFC 7383), 0: no fragmentation; default 1280. */
  readonly fragmentBytes?: number;
  /** Requests of a peer that are taken at once; default 4. */
  /** Of inbound child SAs, packets: a multiple of 64, 64..4096; default 1024. */
  readonly replayWindow?: number;
  readonly window?: number;
  readonly limits?: IkeLimits;
}
