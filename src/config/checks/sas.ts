// SPDX-License-Identifier: Apache-2.0
/** Manual SAs (policy-model 14, 16, 22). */
import { normalize } from 'node:path';
import type { Path } from '../issues.js';
import type { ManualSa } from '../types.js';
import type { Context } from './context.js';
import { checkEnds } from './tunnels.js';

/** The worker finds an inbound SA by the low bits of its SPI: SL_SPI_SLOTS of layout.h. */
const SPI_SLOT_MASK = 0xf_ffff;

const KEYGEN = 'one key file per SA: sealane lab keygen --algorithm ALGORITHM --out FILE';

export function checkSas(ctx: Context): void {
  checkLab(ctx);
  const sas = Object.entries(ctx.config.manualSas ?? {});
  for (const [name, sa] of sas) {
    const path: Path = ['manualSas', name];
    checkEnds(ctx, path, sa);
    if (sa.direction === 'out') checkOutboundOnly(ctx, path, sa);
  }
  checkSpis(ctx, sas);
  checkKeyFiles(ctx, sas);
  checkSpOfRemote(ctx, sas);
  warnUnused(ctx, sas);
}

/** Manual keys have no rekeying, no identities and no forward secrecy: never by accident. */
function checkLab(ctx: Context): void {
  if (ctx.names('manualSas').length === 0) return;
  if (ctx.config.lab?.manualSas === true) {
    ctx.warn(['manualSas'], {
      reason: 'manual SAs are in use: no rekeying, no authentication of the peer',
      remedy: 'for a lab only',
    });
  } else if (ctx.whole('lab')) {
    ctx.fail(['manualSas'], {
      reason: 'manual SAs are for a lab only',
      remedy: 'remove them, or say lab: { manualSas: true }',
    });
  }
}

function checkOutboundOnly(ctx: Context, path: Path, sa: ManualSa): void {
  for (const key of ['sp', 'replayWindow'] as const) {
    if (sa[key] === undefined) continue;
    const reason = 'means nothing for an outbound SA';
    ctx.fail([...path, key], { reason, remedy: 'remove it, or direction: "in"' });
  }
}

type NamedSa = readonly [name: string, sa: ManualSa];

/**
 * The receiver of an SA chooses its SPI: inbound ones are told apart by their low 20 bits alone,
 * outbound ones by SPI and remote address.
 */
function checkSpis(ctx: Context, sas: readonly NamedSa[]): void {
  const users = new Map<string, string>();
  for (const [name, sa] of sas) {
    const slot = sa.spi & SPI_SLOT_MASK;
    const key = sa.direction === 'in' ? `in ${slot}` : `out ${sa.remote} ${sa.spi}`;
    const first = users.get(key);
    if (first === undefined) {
      users.set(key, name);
      continue;
    }
    const same = ctx.config.manualSas?.[first]?.spi === sa.spi;
    const what = same ? 'the same SPI' : 'an SPI with the same low 20 bits';
    ctx.fail(['manualSas', name, 'spi'], {
      reason: `SA "${first}" has ${what}`,
      remedy:
        sa.direction === 'in'
          ? 'an SPI whose low 20 bits no other inbound SA has'
          : 'an SPI that no other SA to this remote has',
    });
  }
}

function checkKeyFiles(ctx: Context, sas: readonly NamedSa[]): void {
  const users = new Map<string, string>();
  for (const [name, { keyFile }] of sas) {
    const file = normalize(keyFile);
    const first = users.get(file);
    if (first === undefined) users.set(file, name);
    else {
      const reason = `SA "${first}" uses the same key file`;
      ctx.fail(['manualSas', name, 'keyFile'], { reason, remedy: KEYGEN });
    }
  }
}

/** A PE belongs to one SP: else its packets would be valid in two secured tables. */
function checkSpOfRemote(ctx: Context, sas: readonly NamedSa[]): void {
  const sps = new Map<string, { sp: string; name: string }>();
  for (const [name, { direction, remote, sp = ctx.config.ownSp }] of sas) {
    if (direction === 'out') continue;
    const first = sps.get(remote);
    if (first === undefined) sps.set(remote, { sp, name });
    else if (first.sp !== sp && ctx.whole('ownSp')) {
      ctx.fail(['manualSas', name, 'sp'], {
        reason: `SA "${first.name}" has the same remote in SP "${first.sp}"`,
        remedy: 'a PE belongs to one SP',
      });
    }
  }
}

function warnUnused(ctx: Context, sas: readonly NamedSa[]): void {
  if (!ctx.whole('tunnels')) return;
  const used = new Set(Object.values(ctx.config.tunnels ?? {}).map(({ sa }) => sa));
  for (const [name, { direction }] of sas) {
    if (direction === 'in' || used.has(name)) continue;
    ctx.warn(['manualSas', name], {
      reason: 'no tunnel uses this outbound SA',
      remedy: `a tunnel with sa: "${name}"`,
    });
  }
}
