// SPDX-License-Identifier: Apache-2.0
/** Who may look into a process with keys: nobody of the same user, unless it may look into all. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { outcome } from '../../../scripts/lib/lab.js';
import { TwoPes } from '../supervisor/two-pes.js';

const addon = fileURLToPath(new URL('../../../build/addon/Release/sealane.node', import.meta.url));
/** As root, and allowed nothing that root is allowed. */
const WITHOUT = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'];
const SECRET = 'it-is-not-to-be-seen';

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** A process of this user with a secret in its environment, which lies in its memory. */
async function holder(hides: boolean): Promise<number> {
  const program = `
    const { kernel } = require(${JSON.stringify(addon)});
    if (${hides}) kernel.hideMemory();
    console.log('ready');
    setInterval(() => {}, 1000);`;
  const [command, ...argv] = [...WITHOUT, process.execPath, '-e', program] as const;
  const child = spawn(command, argv, {
    env: { ...process.env, SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  await once(child.stdout, 'data');
  return child.pid!;
}

const look = async (pid: number) =>
  outcome([...WITHOUT, 'grep', '-a', '-c', SECRET, `/proc/${pid}/environ`]);
const attach = async (pid: number) =>
  outcome([...WITHOUT, 'dd', `if=/proc/${pid}/mem`, 'of=/dev/null', 'bs=1', 'count=0']);

it('a process that does not hide its memory can be looked into', async () => {
  const pid = await holder(false);
  expect(await look(pid)).toMatchObject({ code: 0, stdout: '1\n' });
  expect((await attach(pid)).code).toBe(0);
});

it('one that does cannot, and makes no core file', async () => {
  const pid = await holder(true);
  expect((await look(pid)).stderr).toContain('Permission denied');
  expect((await attach(pid)).stderr).toContain('Permission denied');
  expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
});

it('the supervisor does, and its worker makes no core file either', async () => {
  const net = await TwoPes.open('mem');
  try {
    await net.up();
    for (const pid of [net.supervisor(1).pid!, await net.workerPid(1)]) {
      expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
    }
  } finally {
    await net.close();
  }
});
