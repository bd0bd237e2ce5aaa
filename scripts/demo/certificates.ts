// SPDX-License-Identifier: Apache-2.0
/** An authority for each provider, and one that nobody trusts; certificates name the tunnel addresses. */
import { mkdirSync } from 'node:fs';
import { issue, makeCa } from '../../test/lib/pki.js';
import { NODES, PKI } from './topology.js';

export function makeCertificates(): void {
  mkdirSync(PKI, { recursive: true, mode: 0o700 });
  for (const sp of ['north', 'south'] as const) {
    const ca = makeCa(PKI, sp);
    for (const [name, node] of Object.entries(NODES)) {
      if (node.sp === sp && name !== 'rr') issue(ca, { name, ip: [node.loopback] });
    }
  }
  issue(makeCa(PKI, 'forged'), { name: 'rogue-s', ip: [NODES['rogue-s'].loopback] });
}
