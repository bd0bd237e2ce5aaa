// SPDX-License-Identifier: Apache-2.0
/** Checks what a client asks for. */
import { isAbsolute } from 'node:path';
import { equalBytes, formatPrefix, networkOf, parseAddress, parsePrefix } from '../lib/ip.js';
import { suggest } from '../lib/suggest.js';
import type { ControlBackend, ReloadRequest, RouteFilter, RoutePrefix } from './backend.js';
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

/** Throws INVALID_ARGUMENT. */
export function reloadRequest({ path, dryRun }: pb.ReloadRequest): ReloadRequest {
  if (isAbsolute(path)) return { path, dryRun };
  throw new ControlError('INVALID_ARGUMENT', `"${path}" is no absolute path`, {
    remedy: 'the supervisor has another working directory than you',
  });
}
