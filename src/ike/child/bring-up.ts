// SPDX-License-Identifier: Apache-2.0
/** From what was agreed to a child SA in the data plane (RFC 7296 §2.17): keys that live no longer than that takes. */
import { KE_METHODS } from '../crypto/algorithms.js';
import { type ChildKeys, type ChildLengths, wipeChildKeys } from '../crypto/kdf.js';
import type { EspSuite } from '../negotiation/types.js';
import { good, type Outcome } from '../types.js';
import type { AgreedChild, BringUp } from './api.js';
import type { ChildSa } from './child-sa.js';

/** What is taken from KEYMAT for each direction: encryption with its salt, then integrity (RFC 7296 §2.17). */
const lengthsOf = ({ cipher, integrity }: EspSuite): ChildLengths => ({
  encryption: cipher.keyBytes + cipher.saltBytes,
  integrity: integrity?.keyBytes ?? 0,
});

/** Names of the key exchanges of an exchange, for `show`. */
export const keNames = ({ chosen }: Pick<AgreedChild, 'chosen'>): string[] => {
  const ids = [...(chosen.ke === undefined ? [] : [chosen.ke])];
  return [...ids, ...chosen.additional.map(({ method }) => method)].map(
    (id) => KE_METHODS[id].name,
  );
};

/** Fails as the data plane does; the SPI is then still allocated. */
export async function bringUpChild(agreed: AgreedChild, with_: BringUp): Promise<Outcome<ChildSa>> {
  const { env, prf, skD, nonces, shared } = with_;
  const { chosen } = agreed;
  const keys = env.crypto.kdf.childKeys(prf, skD, nonces, lengthsOf(chosen.suite), shared);
  const installed = await install(agreed, with_, keys);
  wipeChildKeys(keys);
  if (!installed.ok) return installed;
  env.count('child_sas_opened');
  const { policy, inboundSpi, outboundSpi, local, remote, resource } = agreed;
  return good({
    policy,
    inboundSpi,
    outboundSpi,
    local,
    remote,
    resource,
    suite: chosen.suite,
    keyExchanges: with_.keyExchanges,
    createdAt: env.wallClock(),
    isOurs: with_.role === 'initiator',
    // Copies: those of the peer are views of its message.
    nonces: [Uint8Array.from(nonces.initiator), Uint8Array.from(nonces.responder)],
  });
}

function install(agreed: AgreedChild, with_: BringUp, keys: ChildKeys): Promise<Outcome<void>> {
  const { policy, inboundSpi, outboundSpi, local, remote, resource, chosen } = agreed;
  const { sink, peer, path, udpEncapsulation, replaces, role } = with_;
  const isInitiator = role === 'initiator';
  return sink.install({
    policy,
    peer,
    path,
    udpEncapsulation,
    replaces,
    resource,
    inboundSpi,
    outboundSpi,
    local,
    remote,
    suite: chosen.suite,
    inboundKeys: isInitiator ? keys.responder : keys.initiator,
    outboundKeys: isInitiator ? keys.initiator : keys.responder,
  });
}
