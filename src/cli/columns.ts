// SPDX-License-Identifier: Apache-2.0
/**
 * What `sealane show` shows: per topic one list of columns, from which the table and the JSON are made.
 * The keys are those of the messages in proto/control.proto; docs/cli.md says what each means, and a
 * test holds it to this list. Keys never change their meaning; new ones may be added.
 */
import type { ExplainRow, Status, Topic, TopicRows } from '../rpc/client.js';
import { BGP_COLUMNS } from './bgp-columns.js';
import { IKE_COLUMNS } from './ike-columns.js';
import { count, decimal, flag, orNone, prose, text, wide, type Columns } from './column.js';

export const COLUMNS: { readonly [T in Topic]: Columns<TopicRows[T]> } = {
  interfaces: {
    name: text('NAME'),
    role: text('ROLE'),
    vrf: text('VRF'),
    device: prose('DEVICE'),
    vlan: orNone(count('VLAN')),
    serviceVlan: wide(orNone(count('S-VLAN'))),
    mac: wide(text('MAC')),
    mtu: count('MTU'),
    link: text('LINK'),
    addresses: prose('ADDRESSES'),
    rxPackets: count('RX'),
    rxBytes: wide(count('RX BYTES')),
    txPackets: count('TX'),
    txBytes: wide(count('TX BYTES')),
    drops: count('DROPS'),
    punted: wide(count('PUNTED')),
    injected: wide(count('INJECTED')),
    reassembled: wide(count('REASSEMBLED')),
  },
  vrfs: {
    name: text('NAME'),
    id: count('ID'),
    netns: text('NETNS'),
    ttl: text('TTL'),
    trafficClass: wide(text('TC')),
    addresses: wide(prose('ADDRESSES')),
    interfaces: count('IFS'),
    routes4: count('IPV4'),
    routes6: count('IPV6'),
    fromCePackets: count('FROM CE'),
    fromCeBytes: wide(count('FROM CE BYTES')),
    fromCorePackets: count('FROM CORE'),
    fromCoreBytes: wide(count('FROM CORE BYTES')),
    localPackets: count('LOCAL'),
    localBytes: wide(count('LOCAL BYTES')),
    drops: count('DROPS'),
    fragmented: wide(count('FRAGMENTED')),
  },
  routes: {
    vrf: text('VRF'),
    prefix: text('PREFIX'),
    owner: text('OWNER'),
    nexthop: text('NEXT HOP'),
    via: text('VIA'),
    tunnel: text('TUNNEL'),
    label: count('LABEL'),
    interface: text('INTERFACE'),
    usable: flag('USABLE'),
    reason: prose('REASON'),
    accept: prose('ACCEPTS'),
    stale: wide(flag('STALE')),
    ways: wide(count('WAYS')),
  },
  labels: {
    label: count('LABEL'),
    vrf: text('VRF'),
    action: text('ACTION'),
    target: text('TARGET'),
    rules: prose('RULES'),
    accept: prose('ACCEPTS'),
    packets: count('PACKETS'),
    bytes: count('BYTES'),
  },
  tunnels: {
    name: text('NAME'),
    local: text('LOCAL'),
    remote: text('REMOTE'),
    protection: text('PROTECTION'),
    encapsulation: text('ENCAP'),
    sa: text('SA'),
    interface: text('INTERFACE'),
    nextHop: text('NEXT HOP'),
    labels: text('LABELS'),
    mac: wide(text('MAC')),
    mtu: orNone(count('MTU')),
    pathMtu: wide(count('PATH MTU')),
    pathMtuSource: wide(text('SOURCE')),
    pathMtuSince: wide(text('SINCE')),
    pathMtuExpires: wide(text('EXPIRES')),
    probing: wide(text('PROBING')),
    probesSent: wide(count('PROBES')),
    probesConfirmed: wide(count('CONFIRMED')),
    probesLost: wide(count('LOST')),
    state: text('STATE'),
    reason: prose('REASON'),
  },
  sas: {
    name: text('NAME'),
    direction: text('DIR'),
    spi: text('SPI'),
    local: wide(text('LOCAL')),
    remote: text('REMOTE'),
    algorithm: text('ALGORITHM'),
    protection: wide(text('PROTECTION')),
    encapsulation: wide(text('ENCAP')),
    sp: text('SP'),
    ready: flag('READY'),
    sequence: count('SEQUENCE'),
    window: orNone(count('WINDOW')),
    packets: count('PACKETS'),
    bytes: wide(count('BYTES')),
    replayed: count('REPLAYED'),
    authFailed: count('FORGED'),
    resource: wide(count('RESOURCE')),
    thread: wide(count('THREAD')),
  },
  drops: {
    reason: text('REASON'),
    text: prose('MEANING'),
    packets: count('PACKETS'),
  },
  ports: {
    device: prose('DEVICE'),
    interfaces: prose('INTERFACES'),
    mac: wide(text('MAC')),
    link: text('LINK'),
    rxPackets: count('RX'),
    rxMissed: count('RX MISSED'),
    rxErrors: wide(count('RX ERRORS')),
    rxNoBuffer: count('NO BUFFER'),
    txPackets: count('TX'),
    txFull: count('TX FULL'),
    txErrors: count('TX ERRORS'),
    offloads: wide(prose('OFFLOADS')),
  },
  queues: {
    interface: text('INTERFACE'),
    vrf: wide(text('VRF')),
    class: text('CLASS'),
    kind: text('KIND'),
    weight: orNone(count('WEIGHT')),
    limit: count('LIMIT'),
    rate: wide(orNone(count('RATE'))),
    burst: wide(count('BURST')),
    packets: count('PACKETS'),
    bytes: count('BYTES'),
    dropped: count('DROPPED'),
    depth: count('DEPTH'),
    maxDepth: count('MAX DEPTH'),
  },
  lags: {
    interfaces: text('INTERFACES'),
    member: text('MEMBER'),
    link: text('LINK'),
    selected: wide(flag('SELECTED')),
    collecting: flag('COLLECTING'),
    distributing: flag('DISTRIBUTING'),
    state: wide(text('STATE')),
    system: wide(text('SYSTEM')),
    key: wide(count('KEY')),
    port: wide(count('PORT')),
    partnerSystem: text('PARTNER'),
    partnerKey: wide(count('PARTNER KEY')),
    partnerPort: wide(count('PARTNER PORT')),
    partnerState: wide(text('PARTNER STATE')),
    rxLacpdus: count('RX LACPDUS'),
    txLacpdus: count('TX LACPDUS'),
    rxMalformed: wide(count('RX MALFORMED')),
    rxPackets: count('RX PACKETS'),
    rxBytes: wide(count('RX BYTES')),
    txPackets: count('TX PACKETS'),
    txBytes: wide(count('TX BYTES')),
  },
  policers: {
    interface: text('INTERFACE'),
    vrf: wide(text('VRF')),
    class: text('CLASS'),
    meter: text('METER'),
    rate: count('RATE'),
    burst: count('BURST'),
    excessBurst: wide(count('EXCESS BURST')),
    peakRate: orNone(count('PEAK RATE')),
    peakBurst: wide(count('PEAK BURST')),
    colourAware: wide(flag('AWARE')),
    green: wide(text('GREEN')),
    yellow: wide(text('YELLOW')),
    red: wide(text('RED')),
    greenPackets: count('GREEN PACKETS'),
    greenBytes: wide(count('GREEN BYTES')),
    yellowPackets: count('YELLOW PACKETS'),
    yellowBytes: wide(count('YELLOW BYTES')),
    redPackets: count('RED PACKETS'),
    redBytes: wide(count('RED BYTES')),
  },
  workers: {
    worker: count('WORKER'),
    pid: orNone(count('PID')),
    state: text('STATE'),
    reason: prose('REASON'),
    uptimeSeconds: count('UPTIME s'),
    starts: count('STARTS'),
    hugepages: flag('HUGEPAGES'),
    lcore: count('LCORE'),
    tid: wide(count('TID')),
    busyPercent: decimal('BUSY %'),
    heartbeatAgeMs: count('HEARTBEAT ms'),
    held: count('HELD'),
    released: count('RELEASED'),
    passed: wide(count('PASSED')),
    taken: wide(count('TAKEN')),
    passFull: wide(count('RING FULL')),
    buffers: wide(count('BUFFERS')),
    buffersFree: wide(count('FREE BUFFERS')),
    buffersLeast: wide(count('LEAST')),
    largeBuffers: wide(count('LARGE BUFFERS')),
    largeBuffersFree: wide(count('FREE LARGE')),
    largeBuffersLeast: wide(count('LEAST LARGE')),
  },
  transitions: {
    vrf: text('VRF'),
    rule: text('RULE'),
    from: prose('FROM'),
    to: prose('TO'),
    step: text('STEP'),
    labels: text('LABELS'),
    secondsLeft: count('LEFT s'),
    packets: count('PACKETS'),
    recentPackets: count('LATELY'),
  },
  ...BGP_COLUMNS,
  ...IKE_COLUMNS,
};

/** `sealane status`: one row, of which `warnings` is a list; a line each in the JSON's string. */
export const STATUS_COLUMNS: Columns<Status> = {
  instance: text('instance'),
  version: text('version'),
  pid: count('supervisor pid'),
  state: text('state'),
  reason: text('reason'),
  uptimeSeconds: count('uptime s'),
  configFile: text('configuration file'),
  configDigest: text('configuration digest'),
  configGeneration: count('configuration generation'),
  workerPid: orNone(count('worker pid')),
  workerState: text('worker state'),
  workerStarts: count('worker starts'),
  interfaces: count('interfaces'),
  vrfs: count('VRFs'),
  routes: count('routes'),
  labels: count('labels'),
  tunnels: count('tunnels'),
  tunnelsUsable: count('tunnels usable'),
  warnings: text('warnings'),
};

export interface ChangeRow {
  readonly path: string;
  readonly kind: string;
  readonly before: string;
  readonly after: string;
  readonly effect: string;
}

/** `sealane reload --json`. */
export const CHANGE_COLUMNS: Columns<ChangeRow> = {
  path: text('PATH'),
  kind: text('KIND'),
  before: text('BEFORE'),
  after: text('AFTER'),
  effect: text('EFFECT'),
};

/** `sealane explain`. */
export const EXPLAIN_COLUMNS: Columns<ExplainRow> = {
  way: orNone(count('WAY')),
  step: text('STEP'),
  what: prose('WHAT'),
  ok: flag('OK'),
  why: prose('WHY'),
  drop: text('DROP'),
};

export interface PolicyTestRow {
  readonly policy: string;
  readonly accepted: boolean;
  readonly because: string;
  readonly result: string;
  readonly trace: string;
}

/** `sealane bgp policy test --json`. */
export const POLICY_TEST_COLUMNS: Columns<PolicyTestRow> = {
  policy: text('POLICY'),
  accepted: flag('ACCEPTED'),
  because: text('BECAUSE'),
  result: text('RESULT'),
  trace: prose('TRACE'),
};

export const TOPICS: readonly Topic[] = [
  ...(['interfaces', 'vrfs', 'routes', 'labels', 'tunnels', 'sas', 'drops'] as const),
  ...(['ports', 'lags', 'policers', 'queues', 'workers', 'transitions'] as const),
  ...(['bgp summary', 'bgp neighbors', 'bgp routes'] as const),
  ...(['ike sas', 'ike children', 'ike counters'] as const),
];

export function isTopic(word: string): word is Topic {
  return TOPICS.some((topic) => topic === word);
}
