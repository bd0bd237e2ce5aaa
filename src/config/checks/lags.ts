// SPDX-License-Identifier: Apache-2.0
/** Link aggregation groups: their members. */
import { deviceKey } from '../defaults.js';
import type { Lag } from '../types.js';
import type { Context } from './context.js';

const MAX_MEMBERS = 8;

interface Use {
  readonly interface: string;
  /** Of the port: that of the device itself, or of the group. */
  readonly port: string;
}

export function checkLags(ctx: Context): void {
  const used = new Map<string, Use>();
  for (const [name, { device }] of Object.entries(ctx.config.interfaces)) {
    if ('lag' in device) continue;
    const key = deviceKey(device);
    used.set(key, { interface: name, port: key });
  }
  for (const [name, { device }] of Object.entries(ctx.config.interfaces)) {
    if ('lag' in device) checkMembers(ctx, name, device, used);
  }
}

function checkMembers(ctx: Context, name: string, device: Lag, used: Map<string, Use>): void {
  const path = ['interfaces', name, 'device', 'lag'];
  const { lag } = device;
  if (lag.length === 0 || lag.length > MAX_MEMBERS) {
    const reason = lag.length === 0 ? 'a group without members' : `${lag.length} members`;
    ctx.fail(path, { reason, remedy: `1..${MAX_MEMBERS} devices` });
    return;
  }
  const port = deviceKey(device);
  const namespace = lag.find((one) => 'kernel' in one)?.netns;
  const mine = new Set<string>();
  lag.forEach((member, i) => {
    const key = deviceKey(member);
    const other = used.get(key);
    if (mine.has(key)) {
      ctx.fail([...path, i], { reason: 'named twice', remedy: 'remove one' });
    } else if (other !== undefined && other.port !== port) {
      const what = other.port === key ? 'has this device by itself' : 'has it in another group';
      ctx.fail([...path, i], {
        reason: `interface "${other.interface}" ${what}`,
        remedy: 'a member belongs to one group, and carries no interface or VLAN of its own',
      });
    } else if ('kernel' in member && member.netns !== namespace) {
      ctx.fail([...path, i], {
        reason: 'in another namespace than the other kernel interfaces of the group',
        remedy: 'all of them in one namespace',
      });
    } else if ('vdev' in member && member.vdev.includes(';')) {
      ctx.fail([...path, i], { reason: 'a ";" in its arguments', remedy: 'arguments without it' });
    }
    mine.add(key);
    if (other === undefined) used.set(key, { interface: name, port });
  });
}
