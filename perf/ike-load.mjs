// SPDX-License-Identifier: Apache-2.0
// The other end of the IKE benchmark:
//   node perf/ike-load.mjs initiate|respond SETTINGS.json
// SETTINGS: { first: 'A.B.C.D', count, port, remote: {address, port}, concurrency, pauseMs, kem, child,
//   psk } or { ..., scheme, kind: 'ecdsa'|'rsa', authority: {certificate, key} } (paths; DER and PEM)
// `initiate` opens an IKE SA from each of `count` addresses, `concurrency` at once, one begun each `pauseMs` at
// most, and prints { opened, failed, retransmitted, ms: [...], seconds } as JSON. With `list`, also what it has:
// sas: [[address, initiator's SPI, inbound SPI of the child, outbound SPI], ...]. With `initialContact` each says that
// it is the only one. `waits` (ms) and `jitter` (the share that is random) are of retransmissions. Who gets no answer
// to the last of them begins anew, by another SPI, as PEs do, for `persistMs` from the beginning (default 0: not at all);
// { ..., restarted } says how often. `respond` answers on each address, prints "ready", and on SIGUSR2 { opened }, with
// `list` also children: [[address, inbound SPI], ...]. test/load/ike-load.ts runs it as well.
import { Buffer } from 'node:buffer';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setTimeout } from 'node:timers';
import { clients } from './ike-certificates.mjs';
import {
  cookieOf,
  credentialOf,
  decodeMessage,
  errorOf,
  EXCHANGE,
  find,
  LoadSa,
} from './ike-exchange.mjs';

const [mode, file] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(file, 'utf8'));
const { first, count, port, remote, kem = false, child = false } = settings;
const { initialContact = false, list = false } = settings;
const MOST_COOKIES = 5;
/** As many tries as there are waits. */
const { waits = [1000, 2000, 4000, 8000, 16_000], jitter = 0, persistMs = 0 } = settings;

class NoAnswer extends Error {}

function addressAt(index) {
  const base = first.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) + index;
  return [24, 16, 8, 0].map((shift) => (base >>> shift) & 0xff).join('.');
}
const addresses = Array.from({ length: count }, (_, i) => addressAt(i));

function credentials() {
  const { psk, scheme, kind, authority } = settings;
  if (psk !== undefined) return addresses.map(() => credentialOf({ psk }));
  const authorityDer = readFileSync(authority.certificate);
  const keyPem = readFileSync(authority.key, 'utf8');
  const made = clients(kind, { certificateDer: authorityDer, keyPem }, addresses);
  const shared = credentialOf({
    scheme,
    keyPem: made[0].key,
    certificateDer: made[0].certificate,
    authorityDer,
  });
  return made.map(({ key, certificate }) => ({ ...shared, key, certificate }));
}
const all = credentials();

const open = (address) =>
  new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    socket.once('error', reject);
    socket.bind(port, address, () => resolve(socket));
  });

/** Sends until an answer comes that `take` returns something for. */
function exchange(socket, octets, counts, take) {
  const type = octets[18];
  return new Promise((resolve, reject) => {
    let tries = 0;
    let timer;
    const end = () => {
      clearTimeout(timer);
      socket.off('message', onMessage);
    };
    const onMessage = (received) => {
      try {
        const taken = take(received);
        if (taken === undefined) return;
        end();
        resolve(taken);
      } catch (error) {
        end();
        reject(error);
      }
    };
    const send = () => {
      if (tries === waits.length) {
        end();
        reject(new NoAnswer(`no answer to exchange ${type}`));
        return;
      }
      if (tries > 0) counts.retransmitted++;
      socket.send(octets, remote.port, remote.address);
      timer = setTimeout(send, waits[tries++] * (1 - jitter * Math.random()));
    };
    socket.on('message', onMessage);
    send();
  });
}

/** The IKE SA, open. */
async function initiateOne(index, counts) {
  const address = addresses[index];
  const socket = await open(address);
  try {
    const path = { local: { address, port }, remote };
    const sa = new LoadSa('initiator', {
      ...{ path, kem, child, initialContact },
      credential: all[index],
    });
    let shown;
    const initTaken = (octets) => {
      const message = decodeMessage(octets, 0, octets.length);
      if ('fault' in message || message.header.initiatorSpi !== sa.initiatorSpi) return undefined;
      const cookie = cookieOf(message.payloads);
      // The one that it shows already: the answer to a request without it, which was sent more than once.
      if (cookie !== undefined && shown?.equals(cookie) === true) return undefined;
      if (cookie !== undefined) return { cookie: Buffer.from(cookie) };
      if (find(message.payloads, 'KE') === undefined) {
        throw new Error(`IKE_SA_INIT refused: notify ${errorOf(message.payloads)}`);
      }
      sa.takeInitResponse(message, octets);
      return {};
    };
    const inSa = (octets) => sa.open(octets)?.payloads;
    let { cookie } = await exchange(socket, sa.initRequest(), counts, initTaken);
    // Another one may come, because the responder has a new secret.
    for (let tries = 0; cookie !== undefined; tries++) {
      if (tries === MOST_COOKIES) throw new Error('cookies without end');
      counts.cookies++;
      shown = cookie;
      ({ cookie } = await exchange(socket, sa.initRequest(cookie), counts, initTaken));
    }
    if (kem) {
      sa.takeIntermediateResponse(await exchange(socket, sa.intermediateRequest(), counts, inSa));
    }
    sa.checkAuth(await exchange(socket, sa.authRequest(), counts, inSa));
    return sa;
  } finally {
    socket.close();
  }
}

async function initiate() {
  const { concurrency = 1, pauseMs = 0 } = settings;
  const counts = { opened: 0, failed: 0, retransmitted: 0, cookies: 0, restarted: 0 };
  const ms = [];
  const sas = [];
  const why = {};
  const begin = performance.now();
  let next = 0;
  const persist = async (index) => {
    for (;;) {
      try {
        return await initiateOne(index, counts);
      } catch (error) {
        const isOver = performance.now() - begin >= persistMs;
        if (!(error instanceof NoAnswer) || isOver) throw error;
        counts.restarted++;
      }
    }
  };
  const worker = async () => {
    while (next < count) {
      const index = next++;
      if (pauseMs > 0) {
        const at = begin + index * pauseMs - performance.now();
        if (at > 0) await new Promise((wake) => setTimeout(wake, at));
      }
      const from = performance.now();
      try {
        const sa = await persist(index);
        counts.opened++;
        if (list) {
          sas.push([addresses[index], `${sa.initiatorSpi}`, sa.childSpi, sa.peerChildSpi]);
        }
        ms.push(Math.round(100 * (performance.now() - from)) / 100);
      } catch (error) {
        counts.failed++;
        why[error.message] = (why[error.message] ?? 0) + 1;
      }
    }
  };
  process.stdout.write('ready\n');
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - begin) / 1000;
  process.stdout.write(
    `${JSON.stringify({ ...counts, why, seconds, ms, ...(list && { sas }) })}\n`,
  );
}

async function respond() {
  let opened = 0;
  const children = [];
  for (const [index, address] of addresses.entries()) {
    const socket = await open(address);
    const sas = new Map();
    socket.on('message', (octets, from) => {
      const message = decodeMessage(octets, 0, octets.length);
      if ('fault' in message || message.header.response) return;
      const { header } = message;
      const key = header.initiatorSpi;
      let sa = sas.get(key);
      if (sa === undefined) {
        if (header.exchange !== EXCHANGE.init) return;
        const path = {
          local: { address, port },
          remote: { address: from.address, port: from.port },
        };
        sa = new LoadSa('responder', { path, kem, child, credential: all[index] });
        sas.set(key, sa);
      }
      if (sa.lastId !== header.messageId) {
        const response = answer(sa, message, octets);
        if (response === undefined) return;
        if (header.exchange === EXCHANGE.auth) {
          opened++;
          if (list) children.push([address, sa.childSpi]);
        }
        sa.lastId = header.messageId;
        sa.lastResponse = response;
      }
      socket.send(sa.lastResponse, from.port, from.address);
    });
  }
  process.on('SIGUSR2', () => {
    process.stdout.write(`${JSON.stringify({ opened, ...(list && { children }) })}\n`);
  });
  process.stdout.write('ready\n');
}

function answer(sa, message, octets) {
  const { exchange: type, messageId } = message.header;
  if (type === EXCHANGE.init) return sa.initResponse(message, octets);
  const inner = sa.open(octets);
  if (inner === undefined) return undefined;
  if (type === EXCHANGE.intermediate) return sa.intermediateResponse(inner);
  if (type === EXCHANGE.auth) return sa.authResponse(inner);
  return sa.seal(type, messageId, true, []);
}

await (mode === 'initiate' ? initiate() : respond());
