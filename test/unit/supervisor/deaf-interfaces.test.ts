// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { kernelInterfaces } from '../../../src/supervisor/deaf-guard.js';

it('the kernel has to be deaf on every kernel interface, members of groups as well', () => {
  const lag = [{ kernel: 'eth0' }, { pci: '0000:03:00.0' }, { kernel: 'eth1', netns: 'links' }];
  expect(
    kernelInterfaces([{ kernel: 'wan' }, { lag }, { vdev: 'net_null0' }, { pci: '0000:04:00.0' }]),
  ).toEqual([
    { netns: undefined, name: 'wan' },
    { netns: undefined, name: 'eth0' },
    { netns: 'links', name: 'eth1' },
  ]);
});
