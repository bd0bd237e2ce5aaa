// SPDX-License-Identifier: Apache-2.0
/**
 * A supervisor reduced to BFD, as a process that a test may kill or hold up:
 *
 *   supervisor.ts SOCKET EPOCH NETNS PEER...   each PEER is a JSON of {local, remote, multihop, interface?} in text
 *
 * Prints one JSON line per status: {peer, state, failed, diagnostic}. A line "block MS" on standard input keeps
 * its only thread busy for so long, as an import of routes may not, but a bug could.
 */
import { createInterface } from 'node:readline';
import { loadAddon } from '../../../src/forwarding/addon/load.js';
import { parseAddress } from '../../../src/lib/ip.js';
import { createLogger } from '../../../src/lib/log.js';
import { BfdSessions } from '../../../src/supervisor/bfd-sessions.js';
import { WorkerClient } from '../../../src/supervisor/worker-client.js';

interface PeerText {
  readonly local: string;
  readonly remote: string;
  readonly multihop: boolean;
  readonly interface?: string;
}

const print = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};

async function main([
  socket = '',
  epoch = '',
  netns = '',
  ...peers
]: readonly string[]): Promise<void> {
  const { kernel } = loadAddon();
  const log = createLogger({ write: (line) => process.stderr.write(`${line}\n`), now: () => '' });
  const sessions = new BfdSessions({ kernel, log });
  const client = WorkerClient.connect(kernel, socket, {
    onEvent: (event) => {
      if (event.$case === 'bfdState') sessions.event(event.value);
    },
    onClose: (reason) => {
      print({ closed: reason });
      process.exit(1);
    },
  });
  await client.hello(BigInt(epoch));
  await sessions.adopt(client);
  for (const text of peers) {
    const peer = JSON.parse(text) as PeerText;
    const [local, remote] = [parseAddress(peer.local), parseAddress(peer.remote)];
    if (local === undefined || remote === undefined) throw new Error(`no addresses: ${text}`);
    const settings = { desiredMinTxUs: 100_000, requiredMinRxUs: 100_000, detectMult: 5 };
    sessions.add({ ...peer, netns, local, remote }, settings, ({ state, failed, diagnostic }) => {
      print({ peer: peer.remote, state, failed, diagnostic });
    });
  }
  createInterface({ input: process.stdin }).on('line', (line) => {
    const [, ms] = /^block (\d+)$/.exec(line) ?? [];
    const end = performance.now() + Number(ms);
    while (performance.now() < end);
    print({ blocked: Number(ms) });
  });
}

await main(process.argv.slice(2));
