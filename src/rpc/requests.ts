// SPDX-License-Identifier: Apache-2.0
/** Checks what a client asks for. */
import { isAbsolute } from 'node:path';
import { equalBytes, formatPrefix, networkOf, parseAddress, parsePrefix } from '../lib/ip.js';
import { suggest } from '../lib/suggest.js';
import type {
  BgpRouteFilter,
  ControlBackend,
  ExplainLabel,
  ExplainRoute,
  IkeCommand,
  ReloadRequest,
  RouteFilter,
  RoutePrefix,
  SoftClear,
  TestPolicyRequest,
} from './backend.js';
import { ControlError } from './errors.js';
import type * as pb from './gen/control.js';

/** Throws NOT_FOUND for a VRF that is not there; '' means all. */
export async function checkVrf(backend: ControlBackend, vrf: string): Promise<void> {
  if (vrf === '') return;
  const names: string[] = [];
  for await (const { name } of backend.vrfs()) names.push(name);
  if (names.includes(vrf)) return;
  const remedy = suggest(vrf, names, 'VRFs');
  throw new ControlError('NOT_FOUND', `no VRF "${vrf}"`, { remedy });
}

/** Throws INVALID_ARGUMENT or NOT_FOUND. */
export async function routeFilter(
  backend: ControlBackend,
  request: pb.ShowRoutesRequest,
): Promise<RouteFilter> {
  await checkVrf(backend, request.vrf);
  if (request.prefix !== '' && request.address !== '') {
    throw new ControlError('INVALID_ARGUMENT', 'prefix and address exclude each other', {
      remedy: 'give one of them',
    });
  }
  return {
    ...(request.vrf === '' ? {} : { vrf: request.vrf }),
    ...(request.prefix === '' ? {} : { prefix: routePrefix(request.prefix) }),
    ...(request.address === '' ? {} : { address: routeAddress(request.address) }),
  };
}

function routePrefix(text: string): RoutePrefix {
  const prefix = text.includes('/') ? parsePrefix(text) : undefined;
  if (prefix === undefined) {
    throw new ControlError('INVALID_ARGUMENT', `"${text}" is no prefix`, {
      remedy: 'e.g. 10.1.0.0/16 or 2001:db8::/32',
    });
  }
  const right = networkOf(prefix);
  if (equalBytes(right.address, prefix.address)) return prefix;
  throw new ControlError('INVALID_ARGUMENT', `"${text}" has host bits set`, {
    remedy: `did you mean ${formatPrefix(right)}?`,
  });
}

function routeAddress(text: string): Uint8Array {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  throw new ControlError('INVALID_ARGUMENT', `"${text}" is no IP address`, {
    remedy: 'e.g. 10.1.2.3 or 2001:db8::1',
  });
}

/** Throws NOT_FOUND for a neighbour of BGP that is not there; '' means all. */
export function checkBgpNeighbor(backend: ControlBackend, name: string): void {
  const names = backend.bgpNeighborNames();
  if (name === '' || names.includes(name)) return;
  const remedy = suggest(name, names, 'neighbours');
  throw new ControlError('NOT_FOUND', `no BGP neighbour "${name}"`, { remedy });
}

/** Throws INVALID_ARGUMENT or NOT_FOUND. */
export async function explainRouteRequest(
  backend: ControlBackend,
  { vrf, address }: pb.ExplainRouteRequest,
): Promise<ExplainRoute> {
  if (vrf === '') {
    throw new ControlError('INVALID_ARGUMENT', 'no VRF is named', { remedy: 'name one' });
  }
  await checkVrf(backend, vrf);
  return { vrf, address: routeAddress(address) };
}

const PROTECTIONS = ['encrypt', 'authenticate', 'tunnel', 'mpls'] as const;
const LAST_LABEL = 0xfffff;

/** Throws INVALID_ARGUMENT. */
export function explainLabelRequest(request: pb.ExplainLabelRequest): ExplainLabel {
  const { label, fromSp, protection: word, encapsulation } = request;
  if (label > LAST_LABEL) {
    const remedy = `a label is 0 to ${LAST_LABEL}`;
    throw new ControlError('INVALID_ARGUMENT', `no label ${label}`, { remedy });
  }
  if (word === '' && fromSp === '' && encapsulation === '') return { label, arrival: undefined };
  const protection = oneOf('protection', word === '' ? 'encrypt' : word, PROTECTIONS);
  const isSecured = protection === 'encrypt' || protection === 'authenticate';
  if (fromSp !== '' && !isSecured) {
    const remedy = 'only an SA says whose a packet is';
    throw new ControlError('INVALID_ARGUMENT', `${protection} with --from-sp`, { remedy });
  }
  if (protection === 'mpls') {
    if (encapsulation === '') {
      return { label, arrival: { protection, encapsulation: 'none', sp: '' } };
    }
    const remedy = 'plain MPLS has none';
    throw new ControlError('INVALID_ARGUMENT', 'mpls with an encapsulation', { remedy });
  }
  const kinds = ['gre', 'ip'] as const;
  const kind = oneOf('encapsulation', encapsulation === '' ? 'gre' : encapsulation, kinds);
  return { label, arrival: { protection, encapsulation: kind, sp: fromSp } };
}

const SOFT = ['in', 'out', 'both'] as const;

/** Throws INVALID_ARGUMENT. '': in. */
export function softClear(direction: string): SoftClear {
  const found = SOFT.find((one) => one === (direction === '' ? 'in' : direction));
  if (found !== undefined) return found;
  throw new ControlError('INVALID_ARGUMENT', `no direction "${direction}"`, {
    remedy: `one of: ${SOFT.join(', ')}`,
  });
}

/** RFC 9003 §2: as many octets of UTF-8. Throws INVALID_ARGUMENT. */
const MOST_MESSAGE = 255;
export function checkShutdown(name: string, message: string): void {
  const octets = Buffer.byteLength(message);
  if (octets > MOST_MESSAGE) {
    throw new ControlError('INVALID_ARGUMENT', `a message of ${octets} octets`, {
      remedy: `at most ${MOST_MESSAGE} octets of UTF-8 (RFC 9003)`,
    });
  }
  if (name !== '') return;
  throw new ControlError('INVALID_ARGUMENT', 'no neighbour is named', { remedy: 'name one' });
}

/** Throws INVALID_ARGUMENT or NOT_FOUND. */
export async function bgpRouteFilter(
  backend: ControlBackend,
  request: pb.ShowBgpRoutesRequest,
): Promise<BgpRouteFilter> {
  const { vrf, family, prefix, inside, neighbor } = request;
  await checkVrf(backend, vrf);
  checkBgpNeighbor(backend, neighbor);
  const families = backend.bgpFamilyNames();
  if (family !== '' && !families.includes(family)) {
    const remedy = suggest(family, families, 'families');
    throw new ControlError('INVALID_ARGUMENT', `no address family "${family}"`, { remedy });
  }
  if (prefix !== '' && inside !== '') {
    throw new ControlError(
      'INVALID_ARGUMENT',
      'one prefix and those inside of one exclude each other',
      {
        remedy: 'give one of them',
      },
    );
  }
  return {
    ...(vrf === '' ? {} : { vrf }),
    ...(family === '' ? {} : { family }),
    ...(prefix === '' ? {} : { prefix: routePrefix(prefix) }),
    ...(inside === '' ? {} : { prefix: routePrefix(inside), longer: true }),
    ...(neighbor === '' ? {} : { neighbor }),
  };
}

/** Throws INVALID_ARGUMENT. */
export function reloadRequest({ path, dryRun }: pb.ReloadRequest): ReloadRequest {
  return { path: absolute(path), dryRun };
}

/** Throws INVALID_ARGUMENT. An empty path means the configuration in force. */
export function testPolicyRequest(request: pb.TestPolicyRequest): TestPolicyRequest {
  const { policy, route, path } = request;
  return { policy, route, path: path === '' ? undefined : absolute(path) };
}

const IKE_ACTIONS = ['initiate', 'terminate', 'rekey'] as const;

/** Throws INVALID_ARGUMENT. */
export function ikeCommand(request: pb.CommandIkeRequest): IkeCommand {
  const { remote, local, service, spi } = request;
  return {
    action: oneOf('action', request.action, IKE_ACTIONS),
    what: request.what === '' ? 'child' : oneOf('kind of SA', request.what, ['ike', 'child']),
    ...(remote === '' ? {} : { remote: routeAddress(remote) }),
    ...(local === '' ? {} : { local: routeAddress(local) }),
    ...(service === '' ? {} : { service }),
    ...(spi === '' ? {} : { spi: spiNumber(spi) }),
  };
}

function oneOf<Word extends string>(name: string, word: string, words: readonly Word[]): Word {
  const found = words.find((one) => one === word);
  if (found !== undefined) return found;
  throw new ControlError('INVALID_ARGUMENT', `no ${name} "${word}"`, {
    remedy: `one of: ${words.join(', ')}`,
  });
}

function spiNumber(text: string): bigint {
  if (/^0x[0-9a-f]{1,16}$/i.test(text)) return BigInt(text);
  throw new ControlError('INVALID_ARGUMENT', `"${text}" is no SPI`, {
    remedy: 'as shown, e.g. 0x1a2b3c4d',
  });
}

/** Throws INVALID_ARGUMENT. */
export const dumpPath = ({ path }: pb.DumpBgpRequest): string => absolute(path);

function absolute(path: string): string {
  if (isAbsolute(path)) return path;
  throw new ControlError('INVALID_ARGUMENT', `"${path}" is no absolute path`, {
    remedy: 'the supervisor has another working directory than you',
  });
}
