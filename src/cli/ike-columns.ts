// SPDX-License-Identifier: Apache-2.0
/** Columns of `sealane show ike`: see columns.ts. */
import type { TopicRows } from '../rpc/client.js';
import { count, flag, orNone, prose, text, wide, type Columns } from './column.js';

type IkeTopic = 'ike sas' | 'ike children' | 'ike counters';

export const IKE_COLUMNS: { readonly [T in IkeTopic]: Columns<TopicRows[T]> } = {
  'ike sas': {
    initiatorSpi: text('INITIATOR SPI'),
    responderSpi: wide(text('RESPONDER SPI')),
    role: text('ROLE'),
    state: text('STATE'),
    local: wide(text('LOCAL')),
    remote: text('REMOTE'),
    localPort: wide(count('LOCAL PORT')),
    remotePort: wide(count('REMOTE PORT')),
    sp: text('SP'),
    identity: prose('IDENTITY'),
    authentication: text('AUTH'),
    suite: prose('SUITE'),
    keyExchanges: prose('KEY EXCHANGES'),
    ppk: wide(flag('PPK')),
    openedAt: wide(text('OPENED AT')),
    rekeyAt: wide(text('REKEY AT')),
    reauthAt: wide(text('REAUTH AT')),
    lastHeardMs: wide(count('LAST HEARD ms')),
    children: count('CHILDREN'),
  },
  'ike children': {
    service: text('SERVICE'),
    state: text('STATE'),
    local: wide(text('LOCAL')),
    remote: text('REMOTE'),
    inboundSpi: text('IN SPI'),
    outboundSpi: text('OUT SPI'),
    suite: prose('SUITE'),
    keyExchanges: prose('KEY EXCHANGES'),
    createdAt: wide(text('CREATED AT')),
    rekeyAt: text('REKEY AT'),
    resource: wide(orNone(count('RESOURCE'))),
    ikeSpi: wide(text('IKE SPI')),
  },
  'ike counters': {
    name: text('COUNTER'),
    text: prose('MEANING'),
    count: count('COUNT'),
  },
};
