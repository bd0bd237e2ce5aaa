// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { kindOf } from '../../../src/lib/ip-kind.js';
import { parseAddress } from '../../../src/lib/ip.js';

it.each([
  ['10.0.0.1', 'unicast'],
  ['0.1.2.3', 'unspecified'],
  ['127.0.0.1', 'loopback'],
  ['169.254.1.1', 'link-local'],
  ['169.253.1.1', 'unicast'],
  ['223.255.255.255', 'unicast'],
  ['224.0.0.1', 'multicast'],
  ['250.0.0.1', 'multicast'],
  ['255.255.255.255', 'broadcast'],
  ['2001:db8::1', 'unicast'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::2', 'unicast'],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', 'unicast'],
  ['ff02::1', 'multicast'],
  ['::ffff:1.2.3.4', 'ipv4-mapped'],
  ['::1:ffff:102:304', 'unicast'],
])('%s is %s', (text, kind) => {
  expect(kindOf(parseAddress(text)!)).toBe(kind);
});
