// SPDX-License-Identifier: Apache-2.0
// IKE of one PE, all of it but the tables of the data plane: sockets, manager, cryptography, authentication.
//   node --expose-gc perf/ike-pe.mjs SETTINGS.json
// SETTINGS: { address, netns, kem, child, psk } or { ..., root, certificate, key } (paths of PEM), and `remotes`, to
// which it initiates on SIGHUP, ten each 10 ms: the first `pauseAfter`, with the next signal the others. Prints "ready"; on SIGUSR2 what it has, as one line of JSON, after a
// garbage collection: { sas, rss, heap, counters }.
// Plain JavaScript over the build, so that the process holds nothing but what is measured.
import { Buffer } from 'node:buffer';
import { createPrivateKey, randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers';

const root = process.env['SEALANE_JS'] ?? new URL('../build/js', import.meta.url).pathname;
const load = (name) => import(`${root}/${name}.js`);
const { createAuthenticator } = await load('ike/auth/authenticator');
const { createNodeCrypto } = await load('ike/crypto/node-crypto');
const { usePrimitives } = await load('ike/crypto/primitives');
const { portioned } = await load('ike/crypto/random');
const { CryptoPool } = await load('ike/crypto/pool-driver');
const { createIkeCounters, createIkeManager } = await load('ike/manager/manager');
const { realParts } = await load('ike/manager/parts');
const { selectorOf } = await load('ike/negotiation/selectors');
const { parseEspProposal, parseIkeProposal } = await load('ike/negotiation/text');
const { IkeTransport } = await load('ike/transport/transport');
const { createLogger } = await load('lib/log');
const { parseAddress, parsePrefix } = await load('lib/ip');
const { TIMERS: timers } = await load('supervisor/ike-timers');
const { loadAddon } = await load('forwarding/addon/load');

const settings = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { kernel, certificates, crypto } = loadAddon();
usePrimitives(crypto);

const derOf = (file) =>
  Buffer.from(/-----BEGIN [^-]+-----([^-]+)-----END/.exec(readFileSync(file, 'utf8'))[1], 'base64');
const everybody = parsePrefix('10.0.0.0/8');
function authSetup({ psk, root: anchor, certificate, key }) {
  const trust = {
    ...{ sp: 'own', ranges: [everybody], intermediates: [], anchors: [], psks: [] },
    revocation: { mode: 'if-available', crls: [], askOcsp: false, ocspMaxAge: 0 },
  };
  if (psk !== undefined) {
    const psks = [{ name: 'all', prefix: everybody, key: Buffer.from(psk) }];
    return { sps: [{ ...trust, psks, methods: ['psk'] }], credentials: [] };
  }
  const credential = {
    ...{ name: 'own', chain: [derOf(certificate)], sps: undefined, ocsp: undefined },
    ...{ key: createPrivateKey(readFileSync(key)), rsaPadding: 'pkcs1' },
  };
  const anchors = [{ name: 'root', certificate: derOf(anchor) }];
  return { sps: [{ ...trust, anchors, methods: ['rsa', 'ecdsa'] }], credentials: [credential] };
}

const FOREVER = {
  ...{ softSeconds: 0, hardSeconds: 0, softBytes: 0n, hardBytes: 0n },
  ...{ softPackets: 0n, hardPackets: 0n, jitter: 0 },
};
const parsed = ({ ok, value, reason }) => {
  if (!ok) throw new Error(reason);
  return value;
};
const esp = parsed(parseEspProposal('aes128gcm16'));
const policy = {
  ...{ sp: 'own', ppk: undefined, nat: 'refuse', fragmentBytes: 1280, dpdMs: 0, window: 1 },
  ...{ lifetimes: FOREVER, reauthSeconds: 0 },
  retransmission: { firstMs: 1000, factor: 1.5, tries: 6, jitter: 0 },
  proposals: [
    parsed(parseIkeProposal(`aes128gcm16-prfsha256-x25519${settings.kem ? '-ke1_mlkem768' : ''}`)),
  ],
  children: (local, remote) =>
    settings.child
      ? [
          {
            ...{ service: 'encrypt/gre', mode: 'transport', lifetimes: FOREVER, resources: 1 },
            proposals: [esp],
            ...{ local: [selectorOf(local, 47)], remote: [selectorOf(remote, 47)] },
          },
        ]
      : [],
};

/** Takes keys and forgets them: what the tables cost is no cost of IKE. */
const spis = new Set();
const sink = {
  allocateSpi() {
    for (;;) {
      const spi = randomInt(0x10000, 0x1_0000_0000);
      if (!spis.has(spi)) {
        spis.add(spi);
        return spi;
      }
    }
  },
  releaseSpi: (spi) => spis.delete(spi),
  install: () => Promise.resolve({ ok: true, value: undefined }),
  activate: () => Promise.resolve(),
  remove: (spi) => spis.delete(spi),
  usage: () => undefined,
};

const pool = new CryptoPool({ threads: 1, queue: 1000 });
const counters = createIkeCounters();
const env = {
  ...{ crypto: createNodeCrypto(pool, portioned(randomBytes)), timers, count: counters.count },
  wallClock: () => Math.floor(Date.now() / 1000),
  log: createLogger(
    { write: (line) => process.stderr.write(`${line}\n`), now: () => new Date().toISOString() },
    'error',
  ),
};
const netns = kernel.openNetns(`/run/netns/${settings.netns}`);
const transport = new IkeTransport({
  ...{ sockets: kernel, netns, timers, log: env.log, count: counters.count },
  onDatagram: (datagram) => manager.receive(datagram),
});
const manager = createIkeManager({
  ...{ env, counters, parts: realParts, sink, segmentsWereLost: true },
  authenticator: createAuthenticator(authSetup(settings), env, certificates),
  ...{ qcdSecret: undefined, store: undefined },
  policy: {
    forPeer: () => policy,
    halfOpen: { cookieAbove: 200, most: 4000, mostPerPeer: 5, expireMs: 30_000 },
  },
  send: (path, octets) => transport.send(path, octets),
  keepalive: (path) => transport.keepalive(path),
});
const address = parseAddress(settings.address);
transport.apply([address]);

const remotes = settings.remotes.map(parseAddress);
let pauseAfter = settings.pauseAfter;
process.on('SIGHUP', () => {
  const batch = remotes.splice(0, pauseAfter > 0 ? pauseAfter : remotes.length);
  pauseAfter = 0;
  const next = () => {
    for (const remote of batch.splice(0, 10)) {
      if (!settings.child) {
        void manager.initiate({ local: address, remote });
        continue;
      }
      const [child] = policy.children(address, remote);
      manager.want({ local: address, remote, policy: child }, () => undefined);
    }
    if (batch.length > 0) setTimeout(next, 10);
  };
  next();
});

function established() {
  let count = 0;
  for (let after; ;) {
    const rows = manager.rows(after, 1000);
    count += rows.filter(({ state }) => state === 'established').length;
    if (rows.length < 1000) return count;
    after = rows.at(-1).initiatorSpi;
  }
}

process.on('SIGUSR2', () => {
  // Twice: what the first finds unreachable may hold other things.
  globalThis.gc();
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  const counted = Object.fromEntries(Object.entries(manager.counters()).filter(([, n]) => n > 0));
  const kib = Math.round(rss / 1024);
  const heap = Math.round((heapUsed + external) / 1024);
  process.stdout.write(
    `${JSON.stringify({ sas: established(), rss: kib, heap, counters: counted })}\n`,
  );
});
process.on('SIGTERM', () => process.exit(0));
process.stdout.write('ready\n');
