// SPDX-License-Identifier: Apache-2.0
/**
 * Forwarding by the kernel is off in every namespace where user packets may show up (policy-model 20):
 * only the worker forwards. IPv4 decides by the device a packet came in on, IPv6 by "all" or, since
 * Linux 6.17, by the device's force_forwarding.
 */
import { type NamespaceContext, readLinks, readSysctl, setSysctls } from './device.js';

/** What an operator may want back when the last interface of a namespace is given back. */
export const FORWARDING_SYSCTLS = ['ipv4/conf/all/forwarding', 'ipv6/conf/all/forwarding'] as const;

/** For every device there is and will be. */
export async function turnForwardingOff(context: NamespaceContext): Promise<void> {
  // Order matters: a change of "all" rewrites every device's value.
  setSysctls(context, {
    'ipv4/conf/all/forwarding': '0',
    'ipv4/conf/default/forwarding': '0',
    'ipv6/conf/all/forwarding': '0',
    'ipv6/conf/default/forwarding': '0',
    'ipv6/conf/all/force_forwarding': '0',
    'ipv6/conf/default/force_forwarding': '0',
  });
  for (const name of await devices(context)) setSysctls(context, deviceForwardingOff(name));
}

async function devices({ netlink }: NamespaceContext): Promise<readonly string[]> {
  return (await readLinks(netlink)).map(({ name }) => name).filter((name) => name !== 'lo');
}

/** The same for one device, whatever was done to it by name. */
export const deviceForwardingOff = (name: string): Readonly<Record<string, string>> => ({
  [`ipv4/conf/${name}/forwarding`]: '0',
  [`ipv6/conf/${name}/forwarding`]: '0',
  [`ipv6/conf/${name}/force_forwarding`]: '0',
});

/** What is on in the namespace, one line each; empty: the kernel forwards nothing. */
export async function forwardingProblems(context: NamespaceContext): Promise<readonly string[]> {
  const names = await devices(context);
  const paths = [
    ...FORWARDING_SYSCTLS,
    ...names.flatMap((name) => Object.keys(deviceForwardingOff(name))),
  ];
  return paths.flatMap((path) => {
    const value = readSysctl(context, path);
    return value === undefined || value === '0' ? [] : [`${path} is ${value}`];
  });
}
