// SPDX-License-Identifier: Apache-2.0
// Many IBGP neighbours for VPNv4 in one process, each with an address and a file of UPDATEs of its own:
//   node perf/bgp-sessions.mjs REMOTE-ADDRESS COUNT FILE-PREFIX
// Neighbour N has the address 10.10.0.0 + N + 1 and sends FILE-PREFIX.N once. Writes "up" to standard output
// when all have sent theirs; on SIGUSR2 how many sessions are up and how many were ever lost, as JSON.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { clearInterval, setInterval, setTimeout } from 'node:timers';

const [remote, count, prefix] = process.argv.slice(2);
const HOLD = 15;
const MARKER = new Array(16).fill(255);
const message = (type, body) => Uint8Array.of(...MARKER, 0, 19 + body.length, type, ...body);
const CAPABILITIES = [1, 4, 0, 1, 0, 128, 2, 0, 65, 4, 0, 0, 0xfd, 0xe8];
const KEEPALIVE = message(4, []);
const END_OF_RIB = message(2, [0, 0, 0, 6, 0x80, 15, 3, 0, 1, 128]);

let up = 0;
let lost = 0;
const all = Number(count);

function neighbour(number) {
  const address = [10, 10, (number + 1) >> 8, (number + 1) & 255];
  const open = message(1, [
    ...[4, 0xfd, 0xe8, 0, HOLD, ...address],
    ...[CAPABILITIES.length + 2, 2, CAPABILITIES.length, ...CAPABILITIES],
  ]);
  const socket = connect({ host: remote, port: 179, localAddress: address.join('.') });
  let held = new Uint8Array(0);
  let established = false;
  let timer;
  const begin = () => {
    established = true;
    socket.write(readFileSync(`${prefix}.${number}`));
    socket.write(END_OF_RIB, () => {
      up++;
      if (up === all) process.stdout.write('up\n');
    });
    timer = setInterval(() => socket.write(KEEPALIVE), (HOLD / 3) * 1000);
  };
  socket.on('connect', () => socket.write(open));
  socket.on('data', (data) => {
    const joined = new Uint8Array(held.length + data.length);
    joined.set(held);
    joined.set(data, held.length);
    let at = 0;
    while (joined.length - at >= 19) {
      const length = (joined[at + 16] << 8) | joined[at + 17];
      if (joined.length - at < length) break;
      const type = joined[at + 18];
      if (type === 1) socket.write(KEEPALIVE);
      if (type === 4 && !established) begin();
      at += length;
    }
    held = joined.slice(at);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    clearInterval(timer);
    if (established) {
      up--;
      lost++;
    }
    setTimeout(() => neighbour(number), 500);
  });
}

process.on('SIGUSR2', () => process.stdout.write(`${JSON.stringify({ up, lost })}\n`));
for (let number = 0; number < all; number++) neighbour(number);
