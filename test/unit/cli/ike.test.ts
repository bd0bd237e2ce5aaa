// SPDX-License-Identifier: Apache-2.0
/** `sealane show ike` and `sealane ike` in this process, against a control server in this one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../../src/cli/program.js';
import { ControlError } from '../../../src/rpc/errors.js';
import { startControlServer, type RunningControlServer } from '../../../src/rpc/server.js';
import { sampleBackend, type SampleBackend } from '../rpc/sample-backend.js';
import * as sample from '../rpc/sample-ike.js';

let folder: string;
let server: RunningControlServer;
let backend: SampleBackend;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ike-cmd-'));
  backend = sampleBackend();
  server = await startControlServer({ socketPath: join(folder, 'control.sock'), backend });
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function sealane(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const all = ['--socket', join(folder, 'control.sock'), ...args];
  const code = await runCommand(all, '1.2.3', {
    out: async (text) => {
      out += text;
      return Promise.resolve();
    },
    err: (text) => {
      err += text;
    },
    width: 120,
  });
  return { code, out, err };
}

async function json(...args: string[]): Promise<unknown> {
  const { code, out, err } = await sealane(...args, '--json');
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out);
}

describe('sealane show ike', () => {
  it('is its SAs, its child SAs, and what happened', async () => {
    const [sa] = sample.sas;
    expect(await json('show', 'ike')).toEqual([{ ...sa, lastHeardMs: 1200 }]);
    expect(await json('show', 'ike', 'sas')).toEqual(await json('show', 'ike'));
    expect(await json('show', 'ike', 'children')).toEqual(sample.children);
    expect(await json('show', 'ike', 'counters')).toEqual([{ ...sample.counters[0], count: 1 }]);
    expect(await json('show', 'ike', 'counters', '--all')).toHaveLength(2);
    const { out } = await sealane('show', 'ike', '--detail');
    expect(out).toMatch(/^key exchanges +x25519 mlkem768$/m);
    expect((await sealane('show', 'ike', 'peers')).code).toBe(2);
  });
});

describe('sealane ike', () => {
  it('names SAs by all that is given', async () => {
    const { code, out } = await sealane(
      ...['ike', 'rekey', '--remote', '2001:db8::2', '--local', '2001:db8::1'],
      ...['--service', 'encrypt/gre', '--spi', '0x00000100', '--ike'],
    );
    expect([code, out]).toEqual([0, '1 SA rekeyed\n']);
    const address = (last: number): Uint8Array =>
      Uint8Array.of(32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last);
    expect(backend.ike.commands).toMatchObject([
      {
        ...{ action: 'rekey', what: 'ike', service: 'encrypt/gre', spi: 256n },
        ...{ remote: address(2), local: address(1) },
      },
    ]);
  });

  it('means every one only by --all', async () => {
    backend.ike.met = async () => Promise.resolve(7);
    expect(await sealane('ike', 'terminate', '--all')).toMatchObject({
      ...{ code: 0, out: '7 SAs ended\n' },
    });
    expect(backend.ike.commands).toEqual([{ action: 'terminate', what: 'child' }]);
    expect((await sealane('ike', 'terminate')).err).toContain('which SAs?');
    expect((await sealane('ike', 'terminate', '--all', '--service', 'x')).code).toBe(2);
    expect(backend.ike.commands).toHaveLength(1);
  });

  it('says what is wrong, that nothing fits, and what a peer refuses', async () => {
    expect((await sealane('ike', 'rekey', '--remote', 'pe2')).err).toContain('is no IP address');
    expect((await sealane('ike', 'rekey', '--spi', '123')).err).toContain('is no SPI');
    expect((await sealane('ike', 'rekey', '--all', '--ike', '--child')).code).toBe(2);
    expect(backend.ike.commands).toEqual([]);
    backend.ike.met = async () => Promise.resolve(0);
    expect(await sealane('ike', 'initiate', '--all')).toMatchObject({ code: 5, out: '' });
    backend.ike.met = async () => Promise.reject(new ControlError('APPLY_FAILED', 'no'));
    expect(await sealane('ike', 'initiate', '--all')).toMatchObject({ code: 1, out: '' });
  });
});
