// SPDX-License-Identifier: Apache-2.0
/**
 * FRR (zebra and bgpd) in a guest: routes of its kernel's VRFs by BGP, and those that BGP brings in its kernel, with
 * labels. The host's programs, which the guest sees read-only; what they write stays in the guest.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { eventually } from '../../../scripts/lib/lab.js';
import type { LinuxPe } from './linux-pe.js';

const DAEMONS = ['/usr/lib/frr/zebra', '/usr/lib/frr/bgpd', '/usr/bin/vtysh'];

/** Why FRR cannot run in a guest; undefined: it can. */
export function missingFrr(): string | undefined {
  return DAEMONS.find((file) => !existsSync(file))?.concat(' is not installed');
}

export interface GuestFrr {
  /** Runs commands of vtysh and returns what they print. */
  vtysh(...commands: readonly string[]): Promise<string>;
  /** Waits until the session with this neighbour is established. */
  established(address: string): Promise<void>;
}

/** Starts it with frr.conf's text; resolves when both daemons have taken their part of it. */
export async function startFrr(guest: LinuxPe, config: string): Promise<GuestFrr> {
  writeFileSync(`${guest.folder}/frr.conf`, `log file /peer/frr.log\n${config}`, { mode: 0o600 });
  // lib.sh's umask would keep FRR's user out of its own folders.
  const script = `umask 022
    mkdir -p /run/frr /etc/frr
    rm -f /etc/frr/*d.conf
    chown frr:frr /run/frr /etc/frr
    echo 'service integrated-vtysh-config' >/etc/frr/vtysh.conf
    cp /peer/frr.conf /etc/frr/frr.conf
    chown frr:frr /etc/frr/frr.conf
    : >/peer/frr.log; chmod 666 /peer/frr.log; chmod 755 /peer
    for daemon in zebra bgpd; do
      /usr/lib/frr/$daemon -d -A 127.0.0.1 </dev/null >/peer/$daemon.out 2>&1 || { cat /peer/$daemon.out; exit 1; }
    done
    vtysh -b`;
  await guest.exec(script);
  const vtysh = (...commands: readonly string[]): Promise<string> =>
    guest.exec(`vtysh ${commands.map((command) => `-c '${command}'`).join(' ')}`);
  return {
    vtysh,
    established: async (address) => {
      await eventually(`FRR: session with ${address}`, async () => {
        const said = JSON.parse(await vtysh(`show bgp neighbors ${address} json`)) as Record<
          string,
          { readonly bgpState?: string }
        >;
        return said[address]?.bgpState === 'Established' ? true : undefined;
      });
    },
  };
}

export interface FrrVpn {
  readonly asn: number;
  readonly routerId: string;
  /** Our end of the session and of the tunnel, and the other PE's. */
  readonly local: string;
  readonly remote: string;
  /** An address that is routed into the tunnel: a next hop equal to `remote` would loop it. */
  readonly intoTunnel: string;
  readonly vrfs: readonly { readonly name: string; readonly rd: string; readonly target: string }[];
}

/** frr.conf of a PE with one other PE, which it reaches by a GRE device: VPNv4, connected routes of its VRFs. */
export function frrVpnConf(vpn: FrrVpn): string {
  const { asn, routerId, local, remote, intoTunnel } = vpn;
  return [
    'route-map into-tunnel permit 10',
    // Without an LSP to it the next hop of a VPN route is good by GRE alone.
    ' set l3vpn next-hop encapsulation gre',
    // The first is the VPN route's, the second that of what the VRF imports from it.
    ` set ipv4 vpn next-hop ${intoTunnel}`,
    ` set ip next-hop ${intoTunnel}`,
    'exit',
    `router bgp ${asn}`,
    ` bgp router-id ${routerId}`,
    ' no bgp default ipv4-unicast',
    // Without the deferral: FRR 8.4 forgets VPN routes whose selection it has deferred (RFC 4724 §4.1).
    ' bgp graceful-restart',
    ' bgp graceful-restart preserve-fw-state',
    ' bgp graceful-restart select-defer-time 0',
    ` neighbor ${remote} remote-as ${asn}`,
    ` neighbor ${remote} update-source ${local}`,
    ` neighbor ${remote} timers connect 1`,
    ' address-family ipv4 vpn',
    `  neighbor ${remote} activate`,
    `  neighbor ${remote} route-map into-tunnel in`,
    ' exit-address-family',
    'exit',
    ...vpn.vrfs.flatMap(({ name, rd, target }) => [
      `router bgp ${asn} vrf ${name}`,
      // Without it FRR 8.4 may put an automatic RD and target over these.
      ` bgp router-id ${routerId}`,
      ' address-family ipv4 unicast',
      '  redistribute connected',
      `  rd vpn export ${rd}`,
      `  rt vpn both ${target}`,
      '  label vpn export auto',
      '  export vpn',
      '  import vpn',
      ' exit-address-family',
      'exit',
    ]),
    '',
  ].join('\n');
}
