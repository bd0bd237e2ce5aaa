// SPDX-License-Identifier: Apache-2.0
/**
 * Each datagram, to where it belongs. Our SPI finds it: the responder's in what the initiator of the IKE SA sends,
 * the initiator's in what the responder sends (RFC 7296 §2.6). What has none is an IKE_SA_INIT request, or nothing.
 *
 * Datagrams are views of a whole batch here: what somebody keeps is copied.
 */
import { isFault } from '../codec/fault.js';
import { decodeHeader, headerFault, type IkeHeader } from '../codec/header.js';
import { EXCHANGE } from '../codec/names/registries.js';
import { invalidMajorVersion } from '../exchange/ike-sa-init-answers.js';
import { CookieJar } from '../exchange/ike-sa-init-cookies.js';
import type { PeerPolicy } from '../policy.js';
import type { IkeSa } from '../sa/api.js';
import type { Datagram, Endpoint, Path } from '../types.js';
import { admit, type AdmissionDeps, Waiting } from './admission.js';
import type { Core } from './core.js';
import { Rate } from './pace.js';
import { saysUnknown, showsToken, unknownSpiAnswer } from './qcd.js';
import { type Entry, latin1, type OpeningEntry } from './tables.js';

/** Answers in clear to what cannot be authenticated, of all peers together. */
const ANSWERS_PER_SECOND = 100;
/** Refusals of IKE_SA_INIT requests that were admitted. */
const REFUSALS_PER_SECOND = 1_000;
const TYPE = { notify: 41, sk: 46, skf: 53 } as const;

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

export class Intake {
  readonly #core: Core;
  readonly #answers: Rate;
  readonly #refusals: Rate;
  readonly #admission: AdmissionDeps;
  readonly #waiting = new Waiting();
  /** Ours, as all IKE SAs have them: as many as we have sockets. */
  readonly #ends = new Map<string, Endpoint>();

  constructor(core: Core) {
    const { env, tables, deps } = core;
    this.#core = core;
    this.#answers = new Rate(env.timers, ANSWERS_PER_SECOND);
    this.#refusals = new Rate(env.timers, REFUSALS_PER_SECOND);
    this.#admission = {
      ...{ tables, authenticator: deps.authenticator, count: env.count },
      cookies: new CookieJar(env.crypto, env.timers),
      waiting: this.#waiting,
    };
  }

  receive(datagram: Datagram): void {
    const { octets } = datagram;
    const { env, tables } = this.#core;
    const header = decodeHeader(octets, 0, octets.length);
    if (isFault(header)) {
      env.count('rx_malformed');
      return;
    }
    if (header.major !== 2) {
      this.#otherVersion(header, datagram);
      return;
    }
    if (headerFault(header, 0, octets.length) !== undefined) {
      env.count('rx_malformed');
      return;
    }
    if (header.initiator && header.responderSpi === 0n) {
      this.#init(header, datagram);
      return;
    }
    const entry = tables.find(header.initiator ? header.responderSpi : header.initiatorSpi);
    if (entry === undefined) this.#unknown(header, datagram);
    else this.#known(entry, header, datagram);
  }

  #known(entry: Entry, header: IkeHeader, datagram: Datagram): void {
    const { env } = this.#core;
    if (!isFrom(entry, datagram)) {
      env.count('rx_wrong_address');
      return;
    }
    const isClear = header.response && header.firstPayload === TYPE.notify;
    if (entry.kind === 'opening') {
      if (isClear) hear(entry, header, datagram.octets);
      const { octets, ...path } = this.#copied(datagram);
      entry.opening.channel.receive(octets, path);
      return;
    }
    if (isClear && this.#isLost(entry.sa, header, datagram.octets)) return;
    entry.sa.receive(this.#copied(datagram));
  }

  #copied({ local, remote, octets }: Datagram): Datagram {
    return {
      local: this.#ownEnd(local),
      remote: { address: remote.address.slice(), port: remote.port },
      octets: new Uint8Array(octets),
    };
  }

  #ownEnd({ address, port }: Endpoint): Endpoint {
    const key = `${latin1(address)}${String(port)}`;
    let end = this.#ends.get(key);
    if (end === undefined) {
      end = { address: address.slice(), port };
      this.#ends.set(key, end);
    }
    return end;
  }

  /** RFC 6290: the peer shows the token that it gave us, so it has lost the IKE SA. */
  #isLost(sa: IkeSa, { initiatorSpi, responderSpi }: IkeHeader, octets: Uint8Array): boolean {
    const { open, qcdToken: token } = sa;
    const isItself = initiatorSpi === open.initiatorSpi && responderSpi === open.responderSpi;
    if (token === undefined || !isItself || !showsToken(octets, token)) return false;
    this.#core.env.count('peers_dead');
    sa.abandon('the peer has lost it (RFC 6290)', false);
    return true;
  }

  #init(header: IkeHeader, datagram: Datagram): void {
    const { env, tables, policy } = this.#core;
    const { initiatorSpi, exchange, response, messageId } = header;
    if (exchange !== EXCHANGE.ikeSaInit || response || messageId !== 0) {
      env.count('rx_unknown_spi');
      return;
    }
    const { address } = datagram.remote;
    const again = tables.findHalfOpen(initiatorSpi, address);
    if (again !== undefined) {
      this.#known(again, header, datagram);
      return;
    }
    const peer = latin1(address);
    if (this.#waiting.has(initiatorSpi, peer)) return;
    const admission = admit(this.#admission, policy, header, datagram);
    if (admission.verdict === 'answer') this.#core.send(datagram, admission.octets);
    if (admission.verdict !== 'admit') return;
    this.#waiting.add(initiatorSpi, peer);
    const kept = this.#copied(datagram);
    this.#core.slices.push(() => {
      this.#waiting.delete(initiatorSpi, peer);
      this.#respond(admission.policy, kept, initiatorSpi);
    });
  }

  #respond(policy: PeerPolicy, { octets, ...path }: Datagram, initiatorSpi: bigint): void {
    const core = this.#core;
    const screened = core.openings.screen(policy, octets, path);
    if (screened.verdict !== 'open') {
      core.env.log.debug('IKE_SA_INIT refused', { why: screened.why });
      if (screened.verdict === 'answer' && this.#refusals.take()) {
        core.send(path, screened.octets);
      }
      return;
    }
    const startedAt = core.env.timers.now();
    const responderSpi = core.tables.drawSpi();
    const { expireMs } = core.policy.halfOpen;
    const opening = core.openings.respond(screened.init, responderSpi, expireMs);
    const peer = { local: path.local.address, remote: path.remote.address };
    const lineage = { openedBy: 'peer', firstSpi: initiatorSpi, startedAt } as const;
    void core.follow(opening, peer, lineage);
  }

  #unknown(header: IkeHeader, datagram: Datagram): void {
    const { env, tables } = this.#core;
    env.count('rx_unknown_spi');
    const { initiatorSpi, responderSpi, firstPayload, response } = header;
    const isProtected = firstPayload === TYPE.sk || firstPayload === TYPE.skf;
    if (response || !isProtected || responderSpi === 0n) return;
    // The initiator flag is anybody's to set, and the token of an IKE SA that lives would end it at the peer.
    if (tables.has(initiatorSpi) || tables.has(responderSpi)) return;
    if (!this.#mayAnswer(datagram)) return;
    const token = this.#core.token(initiatorSpi, responderSpi);
    this.#core.send(datagram, unknownSpiAnswer(header, token));
  }

  #otherVersion(header: IkeHeader, datagram: Datagram): void {
    this.#core.env.count('rx_wrong_version');
    if (header.major < 2 || header.response || !this.#mayAnswer(datagram)) return;
    const answer = invalidMajorVersion(header);
    if (answer !== undefined) this.#core.send(datagram, answer);
  }

  /** Only to addresses that could have an IKE SA with us, and not often. */
  #mayAnswer({ remote }: Path): boolean {
    return this.#core.policyOf(remote.address) !== undefined && this.#answers.take();
  }
}

/** That the peer does not know an opening of ours any more; before it has an SPI of the peer's there is nothing to know. */
function hear({ opening, onHint }: OpeningEntry, header: IkeHeader, octets: Uint8Array): void {
  const { responderSpi, exchange } = header;
  if (onHint === undefined || exchange === EXCHANGE.ikeSaInit || responderSpi === 0n) return;
  if (responderSpi === opening.responderSpi && saysUnknown(octets)) onHint();
}

/** Ports change with NATs and with port 4500; addresses only where the peer is known to be behind a NAT. */
function isFrom(entry: Entry, { local, remote }: Path): boolean {
  if (entry.kind === 'opening') {
    return isSame(entry.local, local.address) && isSame(entry.remote, remote.address);
  }
  const { channel, features } = entry.sa.open;
  const isOurs = isSame(channel.path.local.address, local.address);
  return isOurs && (features.natRemote || isSame(channel.path.remote.address, remote.address));
}
