// SPDX-License-Identifier: Apache-2.0
/**
 * Two namespaces and a wire between, for IKE between two ends: `us` at 192.0.2.1 and 2001:db8::1, `them` at
 * 192.0.2.2 and 2001:db8::2; and what strongSwan is configured with there.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Lab } from '../../../scripts/lib/lab.js';
import { readIkeCapture } from '../../lib/ike-capture.js';
import type { IkeKeys } from '../../lib/ike-keys.js';
import { startCapture } from '../linux-pe/wire.js';

export const OURS = '192.0.2.1';
export const THEIRS = '192.0.2.2';
export const OURS6 = '2001:db8::1';
export const THEIRS6 = '2001:db8::2';

/** Of every IKE message of a capture: what is read of it. */
const FIELDS = [
  ...([
    'ip.src',
    'ipv6.src',
    'udp.srcport',
    'isakmp.ispi',
    'isakmp.rspi',
    'isakmp.exchangetype',
  ] as const),
  ...([
    'isakmp.messageid',
    'isakmp.flag_r',
    'isakmp.typepayload',
    'isakmp.notify.msgtype',
  ] as const),
  ...(['isakmp.frag.number', 'frame.len'] as const),
];
export type IkeRow = Record<(typeof FIELDS)[number] | 'marks', string>;

export interface Bed {
  readonly lab: Lab;
  readonly us: string;
  readonly them: string;
  /** A folder for files, gone with the bed. */
  readonly folder: string;
  /**
   * What tshark reads of the IKE messages that cross the wire during `act`, decrypted by the keys that `keys` gives
   * afterwards. `closed`: IKE SAs that it cannot open.
   */
  recorded(
    act: () => Promise<unknown>,
    keys: () => readonly IkeKeys[],
  ): Promise<{ readonly rows: IkeRow[]; readonly closed: ReadonlyMap<string, string> }>;
  close(): Promise<void>;
}

/** Address of an end that is behind a NAT. */
export const HIDDEN = '10.0.0.2';

/**
 * `name`: at most 8 characters, unique among beds that exist at a time. `hidden`: the end at {@link HIDDEN}, behind a
 * router that makes its ports others and the address the one that the end has otherwise; what comes to that address
 * on ports 500 and 4500 reaches it.
 */
export async function openBed(name: string, hidden?: 'us' | 'them'): Promise<Bed> {
  const folder = mkdtempSync(`${tmpdir()}/${name}-`);
  const lab = await Lab.open(name);
  const [us, them] = [`${name}-us`, `${name}-them`];
  for (const netns of [us, them]) {
    await lab.namespace(netns);
    await lab.must(netns, ['sysctl', '-qw', 'net.ipv6.conf.default.router_solicitations=0']);
  }
  if (hidden === undefined) await joinEnds(lab, us, them);
  else await joinByNat(lab, name, hidden === 'us' ? [us, them] : [them, us], hidden);
  let captures = 0;
  return {
    ...{ lab, us, them, folder },
    async recorded(act, keys) {
      const file = `${folder}/capture-${String(++captures)}.pcap`;
      const capture = await startCapture({ netns: them, nic: 'wan0' }, file);
      try {
        await act();
      } finally {
        await capture.stop();
      }
      return readIkeCapture(file, keys(), FIELDS);
    },
    async close() {
      await lab.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function joinEnds(lab: Lab, us: string, them: string): Promise<void> {
  await lab.link(us, 'wan0', them, 'wan0');
  await lab.ip(us, [`addr add ${OURS}/24 dev wan0`, `-6 addr add ${OURS6}/64 dev wan0 nodad`]);
  await lab.ip(them, [
    `addr add ${THEIRS}/24 dev wan0`,
    `-6 addr add ${THEIRS6}/64 dev wan0 nodad`,
  ]);
}

async function joinByNat(
  lab: Lab,
  name: string,
  [inner, outer]: readonly [string, string],
  hidden: 'us' | 'them',
): Promise<void> {
  const router = `${name}-nat`;
  const [face, far] = hidden === 'us' ? [OURS, THEIRS] : [THEIRS, OURS];
  await lab.namespace(router);
  await lab.link(inner, 'wan0', router, 'inner');
  await lab.link(router, 'outer', outer, 'wan0');
  await lab.ip(inner, [`addr add ${HIDDEN}/24 dev wan0`, 'route add default via 10.0.0.1']);
  await lab.ip(router, ['addr add 10.0.0.1/24 dev inner', `addr add ${face}/24 dev outer`]);
  await lab.ip(outer, [`addr add ${far}/24 dev wan0`]);
  await lab.must(router, ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  await lab.must(router, ['nft', '-f', '-'], {
    input: `table ip nat {
      chain out {
        type nat hook postrouting priority srcnat;
        oifname "outer" meta l4proto udp snat to ${face}:20000-30000
      }
      chain in {
        type nat hook prerouting priority dstnat;
        iifname "outer" udp dport { 500, 4500 } dnat to ${HIDDEN}
      }
    }\n`,
  });
}

export interface ConnectionOptions {
  /** Default 'pe'. */
  readonly name?: string;
  readonly local: string;
  readonly remote: string;
  /** IDs, when they are not the addresses. */
  readonly localId?: string;
  readonly remoteId?: string;
  readonly proposals: string;
  /** Default 'allow'; 'force' where the kernel has no ESP. */
  readonly childless?: 'allow' | 'force' | 'never';
  /** Preshared key of both ends; or how each authenticates: 'pubkey', 'rsa-2048-sha256' and so on. */
  readonly auth: { readonly psk: string } | { readonly local: string; readonly remote: string };
  /** File in x509/, where there is a key for it in private/. */
  readonly certificate?: string;
  /** More lines of the connection, of its `local` and of its `remote` section. */
  readonly lines?: readonly string[];
  readonly localLines?: readonly string[];
  readonly remoteLines?: readonly string[];
  readonly children?: readonly {
    readonly name: string;
    /** Protocol of the traffic between the two addresses: 'gre' or a number, or with a port: 'tcp/179'. */
    readonly protocol: string;
    /** Where it is another at the remote end. */
    readonly remoteProtocol?: string;
    readonly esp: string;
    readonly lines?: readonly string[];
  }[];
}

/** A section of swanctl.conf. */
const section = (name: string, lines: readonly string[]): string =>
  `${name} {\n${lines.join('\n')}\n}`;

/** swanctl.conf with connections from one address to another; IDs are the addresses. */
export function swanctlConf(...connections: readonly ConnectionOptions[]): string {
  const secrets = connections.flatMap(({ auth, ...of }, i) =>
    'psk' in auth
      ? [
          section(`ike-${String(i)}`, [
            ...[`id-1 = ${of.localId ?? of.local}`, `id-2 = ${of.remoteId ?? of.remote}`],
            `secret = "${auth.psk}"`,
          ]),
        ]
      : [],
  );
  return [
    section('connections', connections.map(connection)),
    section('secrets', secrets),
    '',
  ].join('\n');
}

function connection(options: ConnectionOptions): string {
  const { auth, local, remote, certificate, children = [] } = options;
  const [ours, theirs] = 'psk' in auth ? ['psk', 'psk'] : [auth.local, auth.remote];
  return section(options.name ?? 'pe', [
    ...['version = 2', `local_addrs = ${local}`, `remote_addrs = ${remote}`],
    ...[`proposals = ${options.proposals}`, `childless = ${options.childless ?? 'allow'}`],
    ...['mobike = no', 'send_certreq = yes', 'send_cert = always'],
    ...(options.lines ?? []),
    section('local', [
      ...[`auth = ${ours}`, `id = ${options.localId ?? local}`],
      ...(certificate === undefined ? [] : [`certs = ${certificate}`]),
      ...(options.localLines ?? []),
    ]),
    section('remote', [
      `auth = ${theirs}`,
      `id = ${options.remoteId ?? remote}`,
      ...(options.remoteLines ?? []),
    ]),
    section(
      'children',
      children.map(({ name, protocol, remoteProtocol = protocol, esp, lines = [] }) =>
        section(name, [
          ...['mode = transport', `esp_proposals = ${esp}`],
          ...[`local_ts = dynamic[${protocol}]`, `remote_ts = dynamic[${remoteProtocol}]`],
          ...lines,
        ]),
      ),
    ),
  ]);
}
