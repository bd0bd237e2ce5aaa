// SPDX-License-Identifier: Apache-2.0
/** Policies and credentials of our end, in few words. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AuthSetup, Credential, SpTrust } from '../../../src/ike/auth/setup.js';
import type { ChildPolicy, Lifetimes } from '../../../src/ike/child/types.js';
import { selectorOf } from '../../../src/ike/negotiation/selectors.js';
import {
  type Parsed,
  parseEspProposal,
  parseIkeProposal,
} from '../../../src/ike/negotiation/text.js';
import type { PeerPolicy } from '../../../src/ike/policy.js';
import type { Issued } from '../../lib/pki.js';
import { derOf } from '../../lib/pki.js';
import { prefix } from '../../system/kernel/support.js';

export const FOREVER: Lifetimes = {
  ...{ softSeconds: 0, hardSeconds: 0, softBytes: 0n, hardBytes: 0n },
  ...{ softPackets: 0n, hardPackets: 0n, jitter: 0 },
};

function parsed<T>(result: Parsed<T>): T {
  if (!result.ok) throw new Error(`${result.reason}: ${result.remedy}`);
  return result.value;
}

export interface ChildOptions {
  readonly service: string;
  /** IP protocol: 47, 137. */
  readonly protocol: number;
  /** In strongSwan's words, in order of preference. */
  readonly esp: readonly string[];
  readonly lifetimes?: Lifetimes;
  /** RFC 9611; default 1. */
  readonly resources?: number;
}

export function childPolicy(
  { service, protocol, esp, lifetimes = FOREVER, resources = 1 }: ChildOptions,
  local: Uint8Array,
  remote: Uint8Array,
): ChildPolicy {
  return {
    ...{ service, mode: 'transport', lifetimes, resources },
    proposals: esp.map((words) => parsed(parseEspProposal(words))),
    local: [selectorOf(local, protocol)],
    remote: [selectorOf(remote, protocol)],
  };
}

export interface PolicyOptions extends Partial<Omit<PeerPolicy, 'proposals' | 'children'>> {
  /** In strongSwan's words, in order of preference. */
  readonly proposals: readonly string[];
  readonly children?: readonly ChildOptions[];
}

export const SP = 'example';

export function peerPolicy({ proposals, children = [], ...rest }: PolicyOptions): PeerPolicy {
  return {
    ...{ sp: SP, ppk: undefined, nat: 'refuse', fragmentBytes: 1280, dpdMs: 0, window: 1 },
    ...{ lifetimes: FOREVER, reauthSeconds: 0 },
    retransmission: { firstMs: 1000, factor: 1.5, tries: 6, jitter: 0 },
    proposals: proposals.map((words) => parsed(parseIkeProposal(words))),
    children: (local, remote) => children.map((child) => childPolicy(child, local, remote)),
    ...rest,
  };
}

const NO_REVOCATION: SpTrust['revocation'] = {
  ...{ mode: 'if-available', crls: [], askOcsp: false, ocspMaxAge: 0 },
};
const RANGES = ['192.0.2.0/24', '2001:db8::/64', '10.0.0.0/24'].map(prefix);

export function pskSetup(secret: string): AuthSetup {
  const psks = RANGES.map((range, i) => ({
    ...{ name: `psk-${String(i)}`, prefix: range, key: Buffer.from(secret) },
  }));
  const trust: SpTrust = {
    ...{ sp: SP, ranges: RANGES, anchors: [], intermediates: [], psks, methods: ['psk'] },
    revocation: NO_REVOCATION,
  };
  return { sps: [trust], credentials: [] };
}

export interface CertificateOptions {
  readonly root: Issued;
  readonly own: Issued;
  /** Sent behind our own. */
  readonly chain?: readonly Issued[];
  readonly methods?: SpTrust['methods'];
  readonly rsaPadding?: Credential['rsaPadding'];
  /** PEM; then a status is required. */
  readonly crls?: readonly string[];
}

export function certificateSetup(options: CertificateOptions): AuthSetup {
  const { root, own, chain = [], methods = ['rsa', 'ecdsa', 'ed25519'], crls } = options;
  const revocation: SpTrust['revocation'] =
    crls === undefined
      ? NO_REVOCATION
      : { ...NO_REVOCATION, mode: 'required', crls: crls.map(derOf) };
  return {
    sps: [
      {
        ...{ sp: SP, ranges: RANGES, intermediates: [], psks: [], methods, revocation },
        anchors: [{ name: 'root', certificate: root.der }],
      },
    ],
    credentials: [
      {
        ...{ name: 'own', chain: [own.der, ...chain.map(({ der }) => der)], sps: undefined },
        key: createPrivateKey(readFileSync(own.files.key)),
        ...{ ocsp: undefined, rsaPadding: options.rsaPadding ?? 'pss' },
      },
    ],
  };
}
