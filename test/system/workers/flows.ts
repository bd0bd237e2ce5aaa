// SPDX-License-Identifier: Apache-2.0
/** Many UDP flows at once from one CE to the other, each numbered: what of each arrived, and in order? */
import { readFileSync, rmSync } from 'node:fs';
import { eventually } from '../../../scripts/lib/lab.js';
import { otherEnd, type End, type TwoPes } from '../supervisor/two-pes.js';

const PORT = 9200;
const FIRST_SOURCE_PORT = 20_000;

/** Prints "ready", then at SIGTERM a line "flow packets out-of-order" for each flow: (address, source port). */
const RECEIVER = `
import signal, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
s.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO: where it was sent to
s.bind(("0.0.0.0", ${PORT}))
flows = {}
def end(*_):
    for flow, (count, last, late) in sorted(flows.items()):
        print("flow %s %d %d %d" % (flow[0], flow[1], count, late))
    print("end", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    data, more, _, source = s.recvmsg(2048, 64)
    flow = (socket.inet_ntoa(more[0][2][8:12]), source[1])
    count, last, late = flows.get(flow, (0, -1, 0))
    n = int(data[:12])
    flows[flow] = (count + 1, max(n, last), late + (n <= last))
`;

const SENDER = (to: readonly string[], first: number, flows: number, packets: number): string => `
import socket, time
to = ${JSON.stringify(to)}
sockets = []
for i in range(${flows}):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", ${FIRST_SOURCE_PORT + first} + i))
    sockets.append(s)
for n in range(${packets}):
    for i, s in enumerate(sockets):
        for address in to:
            s.sendto(b"%012d" % n + b"x" * 100, (address, ${PORT}))
        time.sleep(0.002)
`;

export interface Flow {
  readonly to: string;
  readonly port: number;
  readonly packets: number;
  /** That came behind a later one, or twice. */
  readonly late: number;
}

/** `packets` of each of `flows` source ports, from the `first` on, to each of the addresses. */
export async function send(
  net: TwoPes,
  from: End,
  {
    to,
    first = 0,
    flows,
    packets,
  }: { to: readonly string[]; first?: number; flows: number; packets: number },
): Promise<readonly Flow[]> {
  const python = '/usr/bin/python3';
  const log = `${net.run}/flows-${from}.log`;
  rmSync(log, { force: true });
  const receiver = net.lab.start(net.ce(otherEnd(from)), [python, '-c', RECEIVER], log);
  const says = async (what: string): Promise<string> =>
    eventually(`the receiver says ${what}`, () => {
      const text = readFileSync(log, 'utf8');
      return text.includes(what) ? text : undefined;
    });
  await says('ready');
  await net.lab.exec(net.ce(from), [python, '-c', SENDER(to, first, flows, packets)], {
    timeoutMs: 60_000,
  });
  await new Promise((wake) => setTimeout(wake, 500));
  receiver.kill('SIGTERM');
  const text = await says('end');
  return [...text.matchAll(/^flow (\S+) (\d+) (\d+) (\d+)$/gm)].map((match) => ({
    to: match[1] ?? '',
    port: Number(match[2]),
    packets: Number(match[3]),
    late: Number(match[4]),
  }));
}
