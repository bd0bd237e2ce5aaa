// SPDX-License-Identifier: Apache-2.0
/** What --debug-keys writes, read by tshark: all of IKE from IKE_AUTH on, and ESP. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { DebugKeys } from '../../../../src/supervisor/debug-keys.js';
import { CIPHERS, INTEGRITY, PRFS } from '../../../../src/ike/crypto/algorithms.js';
import { ESP_CIPHERS } from '../../../../src/ike/negotiation/esp-ciphers.js';
import type { IkeProposal } from '../../../../src/ike/negotiation/types.js';
import { formatAddress } from '../../../../src/lib/ip.js';
import { sealEsp } from '../../../lib/esp.js';
import { ethernet, ETHERTYPE, gre, ip, PROTOCOL, udp } from '../../../lib/packets.js';
import { writePcap } from '../../../lib/pcap.js';
import { X25519 } from '../open/bench.js';
import { Net } from './bench.js';

const run = promisify(execFile);
const [A, B] = ['10.0.0.1', '10.0.0.2'];
const common = { prfs: [PRFS.sha256], ke: [X25519], additional: [] };
const SUITES: readonly (readonly [string, IkeProposal])[] = [
  ['AES-GCM', { ...common, ciphers: [CIPHERS['aes-256-gcm']], integrity: [] }],
  ['AES-CBC', { ...common, ciphers: [CIPHERS['aes-128-cbc']], integrity: [INTEGRITY.sha384] }],
];

const frame = (source: string, destination: string, protocol: number, payload: Uint8Array) =>
  ethernet({
    ...{ destination: '02:00:00:00:00:02', source: '02:00:00:00:00:01' },
    ...{ type: ETHERTYPE.ip4, payload: ip({ source, destination, protocol, payload }) },
  });

test.each(SUITES)(
  '%s: tshark decrypts what two PEs say, and their ESP',
  async (_name, proposal) => {
    const folder = await mkdtemp(join(tmpdir(), 'ike-keys-'));
    const debugKeys = new DebugKeys(folder);
    const esp = {
      ciphers: [ESP_CIPHERS['aes-128-gcm']],
      integrity: [],
      esn: [false],
      ke: [],
      additional: [],
    };
    const options = { policy: { proposals: [proposal] }, services: [{ proposals: [esp] }] };
    const net = new Net();
    const [a, b] = [net.pe(A, { ...options, debugKeys }), net.pe(B, options)];
    a.want(b);
    await net.pass(1000);
    const [child] = a.plane.active.values();
    if (child === undefined) throw new Error('no child SA');
    const rekeyed = a.manager.rekey({}, 'ike');
    await net.pass(2000);
    expect(await rekeyed).toEqual({ ok: true, value: 1 });
    void b.manager.rekey({}, 'child');
    await net.pass(2000);
    const frames = net.wire.map(({ local, remote, octets }) => {
      const [from, to] = [formatAddress(local.address), formatAddress(remote.address)];
      return frame(from, to, PROTOCOL.udp, udp(from, to, octets));
    });
    const key = {
      spi: child.outboundSpi,
      authenticateOnly: false,
      key: Buffer.from(child.outboundKeys, 'hex'),
    };
    frames.push(
      frame(
        A,
        B,
        50,
        sealEsp(
          key,
          1,
          gre(
            ip({
              source: A,
              destination: B,
              protocol: PROTOCOL.udp,
              payload: udp(A, B, Buffer.alloc(9)),
            }),
            ETHERTYPE.ip4,
          ),
          47,
        ),
      ),
    );
    try {
      const preferences = ['esp.enable_encryption_decode', 'esp.enable_authentication_check'];
      await writeFile(
        join(folder, 'preferences'),
        preferences.map((each) => `${each}: TRUE\n`).join(''),
      );
      const file = join(folder, 'ike.pcap');
      await writeFile(file, writePcap(frames));
      const fields = [
        'isakmp.exchangetype',
        'isakmp.typepayload',
        '_ws.malformed',
        '_ws.expert.message',
        'gre.proto',
      ];
      const argv = ['-r', file, '-d', 'udp.port==50002,isakmp', '-T', 'fields'];
      const { stdout } = await run('tshark', [...argv, ...fields.flatMap((each) => ['-e', each])], {
        env: { ...process.env, WIRESHARK_CONFIG_DIR: folder },
      });
      const rows = stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => line.split('\t'));
      expect(rows).toHaveLength(frames.length);
      expect(rows.map((row) => row.slice(2, 4).join(''))).toEqual(rows.map(() => ''));
      // Inside of SK: IKE_AUTH has AUTH (39), CREATE_CHILD_SA has SA (33); 46 alone would not be decrypted.
      for (const [exchange, payloads] of rows) {
        if (exchange === '35') expect(payloads).toMatch(/^46,.*\b39\b/);
        if (exchange === '36') expect(payloads).toMatch(/^46,.*\b33\b/);
      }
      expect(rows.filter(([exchange]) => exchange === '36').length).toBeGreaterThanOrEqual(4);
      expect(rows.at(-1)?.at(-1)).toBe('0x0800');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
