// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AddonError } from '../../../src/forwarding/addon/api.js';
import { addon, batch, ip4, refusal, Segments, vrf } from './helpers.js';

let segments: Segments;
beforeEach(() => {
  segments = new Segments();
});
afterEach(() => {
  segments.remove();
});

function error(action: () => unknown): AddonError {
  try {
    action();
  } catch (thrown) {
    return thrown as AddonError;
  }
  throw new Error('was not refused');
}

const binary =
  process.env['SEALANE_ADDON'] ??
  fileURLToPath(new URL('../../../build/addon/Release/sealane.node', import.meta.url));

describe('segment `tables`', () => {
  it('is created once and found again, with its epoch', () => {
    const first = segments.open();
    const { epoch } = first;
    expect(first.attached).toBe('created');
    expect(epoch).not.toBe(0n);
    expect(statSync(segments.tables).mode & 0o777).toBe(0o600);
    first.close();
    const second = segments.open();
    expect(second.attached).toBe('reattached');
    expect(second.epoch).toBe(epoch);
    expect(second.layoutHash).toBe(first.layoutHash);
    second.close();
  });

  it('has one writer, whom a refusal names', () => {
    const tables = segments.open();
    const refused = error(() => segments.open());
    expect(refused.code).toBe('SEGMENT_LOCKED');
    expect(refused.message).toContain(`process ${String(process.pid)}`);
    expect(refused.remedy).toContain('stop that supervisor');
    tables.close();
    segments.open().close();
  });

  it('refuses a second thread of the same process', async () => {
    const tables = segments.open();
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      try {
        require(workerData.binary).openTables(workerData.paths);
        parentPort.postMessage('opened');
      } catch (error) {
        parentPort.postMessage(error.code);
      }`;
    const paths = { tables: segments.tables, state: segments.state };
    const thread = new Worker(source, { eval: true, workerData: { binary, paths } });
    expect(await once(thread, 'message')).toEqual(['SEGMENT_LOCKED']);
    await thread.terminate();
    tables.close();
  });

  it.each([
    ['magic', 0, 'not a Sealane'],
    ['layout version', 8, 'has layout version'],
    ['layout hash', 16, 'other row layouts'],
  ])('refuses another %s and says what to do', (_, offset, text) => {
    segments.open().close();
    const file = openSync(segments.tables, 'r+');
    writeSync(file, Uint8Array.of(0x5a, 0x5a), 0, 2, offset);
    closeSync(file);
    const refused = error(() => segments.open());
    expect(refused.code).toBe('SEGMENT_LAYOUT');
    expect(refused.message).toContain(text);
    expect(refused.remedy).toMatch(/remove/);
  });

  it('refuses a foreign file and leaves it alone', () => {
    writeFileSync(segments.tables, 'shopping list');
    expect(error(() => segments.open()).code).toBe('SEGMENT_LAYOUT');
    expect(statSync(segments.tables).size).toBe(13);
  });

  it('refuses a disk: keys would reach it', () => {
    const path = join(tmpdir(), `sealane-addon-test-${String(process.pid)}`);
    const onDisk = (): unknown => addon.openTables({ tables: path, state: `${path}-state` });
    const refused = error(onDisk);
    rmSync(path, { force: true });
    expect(refused.code).toBe('SEGMENT_SYSTEM');
    expect(refused.message).toContain('not on a tmpfs');
    expect(refused.remedy).toContain('/dev/shm');
  });

  it('answers nothing after close', () => {
    const tables = segments.open();
    tables.close();
    expect(refusal(() => tables.vrfs())).toBe('CLOSED');
    expect(refusal(() => tables.reclaim())).toBe('CLOSED');
  });

  it('is taken over from a process that was killed', async () => {
    const source = `
      const tables = require(process.argv[1]).openTables({ tables: process.argv[2], state: process.argv[3] });
      tables.putVrf({ name: 'a', ttlUniform: false, tcUniform: false, clampMss: false, hostInterface: 0 });
      tables.nexthop('n');
      process.stdout.write('ready');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['-e', source, binary, segments.tables, segments.state]);
    await once(child.stdout, 'data');
    const refused = error(() => segments.open());
    expect(refused.message).toContain(`process ${String(child.pid)}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const tables = segments.open();
    expect(tables.attached).toBe('reattached');
    expect(tables.nexthops()).toEqual([{ id: 1, name: 'n', version: 0 }]);
    const a = vrf(tables, 'a');
    tables.applyRoutes(batch(a, 4, [{ address: ip4(10, 0, 0, 0), length: 8, nexthop: 1 }]));
    expect(tables.lookup(a, ip4(10, 0, 0, 1))).toMatchObject({ nexthop: 1 });
    tables.close();
  });

  it.each([
    ['no object', undefined],
    ['a number for a name', { name: 7 }],
    ['a missing field', { name: 'a', ttlUniform: true, tcUniform: true, clampMss: false }],
    [
      'too long a name',
      {
        name: 'x'.repeat(64),
        ttlUniform: true,
        tcUniform: true,
        clampMss: false,
        hostInterface: 0,
      },
    ],
    [
      'a wrong boolean',
      { name: 'a', ttlUniform: 1, tcUniform: true, clampMss: false, hostInterface: 0 },
    ],
  ])('refuses %s by BAD_ARGUMENT', (_, row) => {
    const tables = segments.open();
    expect(refusal(() => tables.putVrf(row as never))).toBe('BAD_ARGUMENT');
    expect(tables.vrfs()).toHaveLength(1);
    tables.close();
  });
});
