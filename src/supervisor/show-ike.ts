// SPDX-License-Identifier: Apache-2.0
/** Rows of `sealane show ike`, made a page at a time, and the commands of `sealane ike`. */
import { IKE_COUNTERS } from '../ike/counters.js';
import type { IkeManager, IkeSaRow as SaRow, IkeSelection } from '../ike/manager/api.js';
import type { Outcome } from '../ike/types.js';
import { formatAddress } from '../lib/ip.js';
import type * as rows from '../rpc/backend.js';
import { ControlError } from '../rpc/errors.js';

type Shown = Pick<IkeManager, 'rows' | 'counters'>;
type Commanded = Pick<IkeManager, 'initiate' | 'terminate' | 'rekey'>;

/** IKE SAs asked of the manager at once. */
const PAGE = 128;

const hex = (value: number | bigint, digits: number): string =>
  `0x${value.toString(16).padStart(digits, '0')}`;

/** `seconds`: since 1970. */
const isoTime = (seconds: number | undefined): string =>
  seconds === undefined ? '' : new Date(1000 * seconds).toISOString();

function* allSas(manager: Shown | undefined): Generator<SaRow> {
  let after: bigint | undefined;
  for (;;) {
    const page = manager?.rows(after, PAGE) ?? [];
    yield* page;
    after = page.at(-1)?.initiatorSpi;
    if (after === undefined || page.length < PAGE) return;
  }
}

export function* ikeSaRows(manager: Shown | undefined): Generator<rows.IkeSaRow> {
  for (const sa of allSas(manager)) {
    yield {
      ...{ initiatorSpi: hex(sa.initiatorSpi, 16), responderSpi: hex(sa.responderSpi, 16) },
      ...{ role: sa.role, state: sa.state },
      ...{ local: formatAddress(sa.local), remote: formatAddress(sa.remote) },
      ...{ localPort: sa.localPort, remotePort: sa.remotePort, sp: sa.sp },
      ...{ identity: sa.identity, authentication: sa.authentication, suite: sa.suite },
      ...{ keyExchanges: sa.keyExchanges.join(' '), ppk: sa.isPpkUsed },
      ...{ openedAt: isoTime(sa.openedAt), rekeyAt: isoTime(sa.rekeyAt) },
      reauthAt: isoTime(sa.reauthAt),
      lastHeardMs: BigInt(Math.max(0, Math.round(sa.lastHeardMs))),
      children: sa.children.length,
    };
  }
}

export function* ikeChildRows(manager: Shown | undefined): Generator<rows.IkeChildRow> {
  for (const sa of allSas(manager)) {
    for (const child of sa.children) {
      yield {
        ...{ service: child.service, state: child.state },
        ...{ local: formatAddress(sa.local), remote: formatAddress(sa.remote) },
        ...{ inboundSpi: hex(child.inboundSpi, 8), outboundSpi: hex(child.outboundSpi, 8) },
        ...{ suite: child.suite, keyExchanges: child.keyExchanges.join(' ') },
        ...{ createdAt: isoTime(child.createdAt), rekeyAt: isoTime(child.rekeyAt) },
        ...{ resource: child.resource, ikeSpi: hex(sa.initiatorSpi, 16) },
      };
    }
  }
}

export function* ikeCounterRows(manager: Shown | undefined): Generator<rows.IkeCounterRow> {
  const counts = new Map<string, number>(Object.entries(manager?.counters() ?? {}));
  for (const [name, text] of Object.entries(IKE_COUNTERS)) {
    yield { name, text, count: BigInt(counts.get(name) ?? 0) };
  }
}

async function run(
  manager: Commanded,
  { action, what, ...selection }: rows.IkeCommand,
): Promise<Outcome<number>> {
  const selected: IkeSelection = selection;
  switch (action) {
    case 'initiate':
      return manager.initiate(selected);
    case 'terminate':
      return manager.terminate(selected);
    case 'rekey':
      return manager.rekey(selected, what);
  }
}

/** How many SAs it met. Throws NOT_FOUND, APPLY_FAILED. */
export async function commandIke(
  manager: Commanded | undefined,
  command: rows.IkeCommand,
): Promise<number> {
  if (manager === undefined) {
    throw new ControlError('NOT_FOUND', 'the configuration in force has no IKE', {
      remedy: 'give it an `ike` section and reload',
    });
  }
  const outcome = await run(manager, command);
  if (outcome.ok) return outcome.value;
  const { code, by, reason } = outcome.failure;
  const who = by === 'peer' ? 'the peer says' : 'we say';
  throw new ControlError('APPLY_FAILED', `${command.action}: ${who} ${code}: ${reason}`, {
    remedy: 'see: sealane show ike counters, and the log',
  });
}
