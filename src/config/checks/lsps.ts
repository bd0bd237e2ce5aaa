// SPDX-License-Identifier: Apache-2.0
/** Static LSPs, the transport labels of this PE, and tunnels that are LSPs. */
import { covers, hostPrefix, networkOf, parseAddress, parsePrefix } from '../../lib/ip.js';
import type { Path } from '../issues.js';
import { IMPLICIT_NULL } from '../defaults.js';
import { PrefixIndex } from '../prefix-index.js';
import type { CoreInterface, Lsp, Tunnel } from '../types.js';
import type { Context } from './context.js';

/** What fits in a next hop's template (SL_MAX_CORE_LABELS of tables.h). */
const MOST_LABELS = 8;

export function checkLsps(ctx: Context): void {
  const known = new PrefixIndex<string>();
  for (const [text, lsp] of Object.entries(ctx.config.core.lsps ?? {})) {
    const path: Path = ['core', 'lsps', text];
    checkFarEnds(ctx, path, text, known);
    checkLabels(ctx, path, lsp);
    checkVia(ctx, path, lsp);
  }
  checkTransportLabels(ctx);
  for (const [name, tunnel] of Object.entries(ctx.config.tunnels ?? {})) {
    checkTunnel(ctx, ['tunnels', name], tunnel, known);
  }
}

function checkFarEnds(ctx: Context, path: Path, text: string, known: PrefixIndex<string>): void {
  const prefix = parsePrefix(text);
  if (prefix === undefined) {
    ctx.failKey(path, { reason: 'not a prefix', remedy: 'far ends such as "192.0.2.2/32"' });
    return;
  }
  if (!networkOf(prefix).address.every((byte, i) => byte === prefix.address[i])) {
    ctx.failKey(path, { reason: 'has host bits', remedy: 'the prefix with its host bits zero' });
  }
  const other = known.add(prefix, text);
  if (other !== undefined) {
    ctx.failKey(path, { reason: `the same far ends as "${other}"`, remedy: 'remove one' });
  }
}

function checkLabels(ctx: Context, path: Path, { labels }: Lsp): void {
  const at = [...path, 'labels'];
  if (labels.includes(IMPLICIT_NULL) && labels.length > 1) {
    const reason = `${IMPLICIT_NULL} (implicit null) says that there is no label`;
    ctx.fail(at, { reason, remedy: `[${IMPLICIT_NULL}] alone, or none of it` });
  }
  if (labels.length === 0 && ctx.whole(...at)) {
    const remedy = `[${IMPLICIT_NULL}] (implicit null) for an LSP without a label`;
    ctx.fail(at, { reason: 'no label', remedy });
  } else if (labels.length > MOST_LABELS) {
    ctx.fail(at, { reason: `${labels.length} labels`, remedy: `at most ${MOST_LABELS}` });
  }
}

const subnetsHold = ({ addresses }: CoreInterface, via: Uint8Array): boolean => {
  const host = hostPrefix(via);
  return addresses.some((text) => {
    const own = parsePrefix(text);
    return own !== undefined && host !== undefined && covers(own, host);
  });
};

function checkVia(ctx: Context, path: Path, { via, interface: named }: Lsp): void {
  if (!ctx.whole('interfaces')) return;
  const address = parseAddress(via);
  if (address === undefined) return;
  if (named !== undefined) {
    const out = ctx.config.interfaces[named];
    if (out?.role === 'core') return;
    const reason = out === undefined ? 'no such interface' : 'not a core interface';
    ctx.fail([...path, 'interface'], { reason, remedy: 'a core interface' });
  } else if (!ctx.coreInterfaces().some((out) => subnetsHold(out, address))) {
    const remedy = 'an address in the subnet of a core interface, or name the interface';
    ctx.fail([...path, 'via'], { reason: 'on no core interface', remedy });
  }
}

function checkTransportLabels(ctx: Context): void {
  const { transportLabels = [] } = ctx.config.core;
  const exported = new Map(
    Object.entries(ctx.config.vrfs ?? {}).flatMap(([vrf, { exports = [] }]) =>
      exports.map(({ label }, i) => [label, ['vrfs', vrf, 'exports', i, 'label']] as const),
    ),
  );
  transportLabels.forEach((label, i) => {
    const path = ['core', 'transportLabels', i];
    const other = exported.get(label);
    if (transportLabels.indexOf(label) < i) {
      ctx.fail(path, { reason: 'named twice', remedy: 'remove one' });
    } else if (other !== undefined) {
      const reason = `${ctx.at(other)} is the same label`;
      ctx.fail(path, { reason, remedy: 'a label of its own: it has one meaning (policy-model 5)' });
    }
  });
  if (transportLabels.length === 0 || !ctx.whole('interfaces')) return;
  if (!ctx.coreInterfaces().some(({ mpls }) => mpls === 'own-sp')) {
    const remedy = 'mpls: "own-sp" on a core interface';
    ctx.warn(['core', 'transportLabels'], { reason: 'no core interface lets them in', remedy });
  }
}

/** Encapsulation "none" is an LSP's, and an LSP is needed then. */
function checkTunnel(ctx: Context, path: Path, tunnel: Tunnel, known: PrefixIndex<string>): void {
  const lsp = tunnel.protection === 'mpls';
  if (lsp !== (tunnel.encapsulation === 'none')) {
    const reason = lsp ? 'an LSP has no encapsulation' : 'a tunnel that is no LSP needs one';
    const remedy = lsp ? '"none"' : '"gre" or "ip", or protection: "mpls"';
    ctx.fail([...path, 'encapsulation'], { reason, remedy });
  }
  const address = parseAddress(tunnel.remote);
  const host = address === undefined ? undefined : hostPrefix(address);
  if (!lsp || host === undefined || !ctx.whole('core')) return;
  const [found] = known.holding(host);
  if (found !== undefined) return;
  ctx.warn([...path, 'remote'], {
    reason: 'no LSP of core.lsps leads there',
    remedy: 'name it in core.lsps, unless BGP brings one',
  });
}
