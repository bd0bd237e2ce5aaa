// SPDX-License-Identifier: Apache-2.0
// Opens an IBGP session for VPNv4 and sends a file of UPDATEs as fast as the peer takes them:
//   node perf/bgp-feeder.mjs LOCAL-ADDRESS REMOTE-ADDRESS FILE [CHURN-FILE MESSAGES-PER-10-MS]
// Writes "sent" to standard output behind the last one, and keeps the session up until it is ended.
// On SIGUSR2 it sends the messages of CHURN-FILE, so many each 10 ms, writes "warm" after 3 s, and at the end
// when each was sent, CLOCK_MONOTONIC milliseconds, as one line of JSON.
import { createReadStream, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setInterval, setTimeout } from 'node:timers';

const [local, remote, file, churnFile, pace] = process.argv.slice(2);
const STEP_MS = 10;
const WARM_MS = 3000;
const MARKER = new Array(16).fill(255);
const message = (type, body) => Uint8Array.of(...MARKER, 0, 19 + body.length, type, ...body);
/** AS 65000, hold time 240, and one optional parameter: VPNv4, route refresh, 4-octet AS. */
const CAPABILITIES = [1, 4, 0, 1, 0, 128, 2, 0, 65, 4, 0, 0, 0xfd, 0xe8];
const OPEN = message(1, [
  ...[4, 0xfd, 0xe8, 0, 240, ...local.split('.').map(Number)],
  ...[CAPABILITIES.length + 2, 2, CAPABILITIES.length, ...CAPABILITIES],
]);
const KEEPALIVE = message(4, []);
const END_OF_RIB = message(2, [0, 0, 0, 6, 0x80, 15, 3, 0, 1, 128]);

const now = () => Number(process.hrtime.bigint()) / 1e6;

function churn(socket) {
  const bytes = readFileSync(churnFile);
  const times = [];
  const begin = now();
  let at = 0;
  let warm = false;
  const step = () => {
    // What a late timer left out is made up for: the rate is what was asked for.
    const due = (Math.floor((now() - begin) / STEP_MS) + 1) * Number(pace);
    const from = at;
    while (times.length < due && at < bytes.length) {
      at += (bytes[at + 16] << 8) | bytes[at + 17];
      times.push(now());
    }
    if (at > from) socket.write(bytes.subarray(from, at));
    if (!warm && now() - begin >= WARM_MS) {
      warm = true;
      process.stdout.write('warm\n');
    }
    if (at < bytes.length) {
      setTimeout(step, STEP_MS);
      return;
    }
    process.stdout.write(`${JSON.stringify({ times })}\n`);
  };
  step();
}

function session() {
  const socket = connect({ host: remote, port: 179, localAddress: local });
  let held = new Uint8Array(0);
  let established = false;
  const begin = () => {
    established = true;
    const stream = createReadStream(file, { highWaterMark: 1 << 20 });
    stream.pipe(socket, { end: false });
    stream.on('end', () => {
      socket.write(END_OF_RIB, () => process.stdout.write('sent\n'));
    });
    setInterval(() => socket.write(KEEPALIVE), 30_000);
    process.on('SIGUSR2', () => churn(socket));
  };
  socket.on('connect', () => socket.write(OPEN));
  socket.on('data', (data) => {
    const all = new Uint8Array(held.length + data.length);
    all.set(held);
    all.set(data, held.length);
    let at = 0;
    while (all.length - at >= 19) {
      const length = (all[at + 16] << 8) | all[at + 17];
      if (all.length - at < length) break;
      const type = all[at + 18];
      if (type === 1) socket.write(KEEPALIVE);
      if (type === 3) process.stderr.write(`NOTIFICATION ${all.slice(at + 19, at + length)}\n`);
      if (type === 4 && !established) begin();
      at += length;
    }
    held = all.slice(at);
  });
  // A daemon that has just started, or one that waits before it lets a neighbour in.
  const again = () => {
    if (!established) setTimeout(session, 200);
    else process.exit(1);
  };
  socket.on('error', () => undefined);
  socket.on('close', again);
}
session();
