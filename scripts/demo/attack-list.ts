// SPDX-License-Identifier: Apache-2.0
/**
 * The attacks on PE2: every sub-case of P §2.7 and everything of P15, by an outsider on the path, by customers, and by
 * correctly keyed PEs of either provider. Each names the one counter that must rise by exactly the packets sent.
 */
import type { AttackResult } from './findings.js';
import { EXTRA_C, NODES, site } from './topology.js';

export interface Attack {
  readonly id: string;
  readonly requirement: string;
  readonly by: AttackResult['by'];
  readonly section: string;
  readonly text: string;
  readonly counter: string;
  readonly from: { readonly netns: string; readonly link: string };
  /** PE2's end of that link. */
  readonly to: string;
  readonly job: Readonly<Record<string, unknown>>;
}

/** Labels of PE2, by VRF and export rule. */
export interface Labels {
  readonly a: number;
  readonly b: number;
  readonly cInside: number;
  readonly cBetween: number;
  readonly cPlain: number;
  readonly cScoped: number;
}

const core = { from: { netns: 'p1', link: 'to-pe2' }, to: 'wan' } as const;
const border = { from: { netns: 'p2', link: 'to-pe2' }, to: 'wan2' } as const;
const ceB = { from: { netns: 'ce-b2', link: 'eth0' }, to: 'to-ce-b2' } as const;
const [near, far] = [site('A', 1), site('A', 2)];
const inner = { inner_src: near.address4, inner_dst: far.address4 };
const asPe1 = { outer_src: NODES.pe1.loopback, outer_dst: NODES.pe2.loopback };
const asPe3 = { outer_src: NODES.pe3.loopback, outer_dst: NODES.pe2.loopback };

const outsider = { by: 'outsider', requirement: 'P13' } as const;

/** P §2.7 b.iii: labels that must be protected, in clear. */
function mustBeProtected({ a, b, cBetween }: Labels): Attack[] {
  const common = { ...core, ...outsider, section: 'b.iii', counter: 'label_protected' };
  return [
    {
      ...common,
      id: 'clear-mpls-a',
      text: "plain MPLS with VPN A's label",
      job: { kind: 'plain_mpls', label: a, ...inner },
    },
    {
      ...common,
      id: 'clear-gre-a',
      text: "MPLS-in-GRE with VPN A's label, from PE1's address",
      job: { kind: 'mpls_in_gre', label: a, ...inner, ...asPe1 },
    },
    {
      ...common,
      id: 'clear-ip-a',
      text: "MPLS-in-IP with VPN A's label, from PE1's address",
      job: { kind: 'mpls_in_ip', label: a, ...inner, ...asPe1 },
    },
    {
      ...common,
      id: 'clear-ip-b',
      text: "MPLS-in-IP with VPN B's label (authenticated), from PE1's address",
      job: { kind: 'mpls_in_ip', label: b, ...inner, ...asPe1 },
    },
    {
      ...common,
      id: 'clear-gre-c-between',
      text: "MPLS-in-GRE with VPN C's label for the south, from PE3's address",
      job: { kind: 'mpls_in_gre', label: cBetween, ...inner, ...asPe3 },
    },
  ];
}

/** P §2.7 b.ii: in clear from inside the SP only, and then only as MPLS; b.i: no IPsec asked for. */
function scopedAndPlain({ cScoped, cPlain, cInside }: Labels): Attack[] {
  const scoped = { inner_src: near.address4, inner_dst: EXTRA_C.scoped.host };
  const plain = { inner_src: near.address4, inner_dst: EXTRA_C.plain.host };
  return [
    {
      ...{ ...core, ...outsider, section: 'b.ii', counter: 'label_protected' },
      id: 'scoped-in-gre',
      text: 'label of case ii in clear MPLS-in-GRE: outer addresses can be forged',
      job: { kind: 'mpls_in_gre', label: cScoped, ...scoped, ...asPe1 },
    },
    {
      ...{ ...border, ...outsider, section: 'b.ii', counter: 'mpls_not_accepted' },
      id: 'scoped-from-other-sp',
      text: "label of case ii as plain MPLS, from the other provider's network",
      job: { kind: 'plain_mpls', label: cScoped, ...scoped },
    },
    {
      ...{ ...border, ...outsider, section: 'b.i', counter: 'mpls_not_accepted' },
      id: 'plain-from-other-sp',
      text: "label without protection as plain MPLS, from the other provider's network",
      job: { kind: 'plain_mpls', label: cPlain, ...plain },
    },
    {
      ...{ ...border, ...outsider, section: 'b.i', counter: 'gre_clear' },
      id: 'gre-from-other-sp',
      text: "VPN C's clear MPLS-in-GRE from PE1's address, from the other provider's network",
      job: { kind: 'mpls_in_gre', label: cInside, ...inner, ...asPe1 },
    },
    {
      ...{ ...core, ...outsider, section: 'b.i', counter: 'label_wrong_protection' },
      id: 'plain-in-gre',
      text: 'label for plain MPLS alone, in MPLS-in-GRE',
      job: { kind: 'mpls_in_gre', label: cPlain, ...plain, ...asPe1 },
    },
  ];
}

/** What a customer tries: what it sends concerns its own VPN's addresses, whatever the core's are (policy-model 19). */
function fromCustomer({ a }: Labels, spi: number, capture: string): Attack[] {
  const common = { ...ceB, by: 'customer' } as const;
  // From an address of its own: errors about packets from elsewhere would count as discarded, too.
  const own = { outer_src: site('B', 2).link4 };
  return [
    {
      ...{ ...common, requirement: 'P13', section: 'b.iii', counter: 'mpls_not_accepted' },
      id: 'ce-mpls',
      text: "plain MPLS with VPN A's label from the customer of VPN B",
      job: { kind: 'plain_mpls', label: a, ...inner },
    },
    {
      ...{ ...common, requirement: 'P13', section: 'b.iii', counter: 'no_route' },
      id: 'ce-gre',
      text: "MPLS-in-GRE with VPN A's label to PE2's tunnel address, which VPN B does not have",
      job: { kind: 'mpls_in_gre', label: a, ...inner, ...asPe1, ...own },
    },
    {
      ...{ ...common, requirement: 'P15', section: 'replayed', counter: 'no_route' },
      id: 'ce-esp',
      text: "PE1's ESP packets to PE2, from the customer of VPN B",
      job: { kind: 'replayed_from_elsewhere', spi, capture, ...own },
    },
  ];
}

/** ESP without the key; `capture` holds what PE1 sent to PE2, `elsewhere` what it sent to PE3. */
function withoutKey(
  { spi, sequence }: { readonly spi: number; readonly sequence: number },
  capture: string,
  elsewhere: { readonly spi: number; readonly capture: string },
): Attack[] {
  const common = { ...core, by: 'outsider', requirement: 'P15' } as const;
  return [
    {
      ...{ ...common, id: 'forged-esp', section: 'spoofed', counter: 'esp_auth_failed' },
      text: "ESP forged without the key, on PE1's SA",
      job: { kind: 'forged_esp', spi, sequence: sequence + 1000, ...asPe1 },
    },
    {
      ...{ ...common, id: 'unknown-spi', section: 'spoofed', counter: 'esp_unknown_spi' },
      text: 'ESP with an SPI of no SA',
      job: { kind: 'forged_esp', spi: (spi ^ 0x0005_5555) >>> 0, sequence: 1, ...asPe1 },
    },
    {
      ...{ ...common, id: 'replay', section: 'replayed', counter: 'esp_replayed' },
      text: "PE1's own ESP packets once more",
      job: { kind: 'replayed', spi, capture },
    },
    {
      ...{ ...common, id: 'bit-flip', section: 'modified', counter: 'esp_auth_failed' },
      text: "PE1's ESP packets, one bit of the sequence number changed",
      job: { kind: 'bit_flipped', spi, capture },
    },
    {
      ...{ ...common, id: 'other-source', section: 'spoofed', counter: 'esp_outer_address' },
      text: "PE1's ESP packets from another outer address",
      job: { kind: 'replayed_from_elsewhere', spi, capture, outer_src: '192.0.2.99' },
    },
    {
      ...{ ...common, id: 'misrouted', section: 'misrouted', counter: 'core_transit' },
      text: "PE1's ESP packets to PE3, led to PE2 as they are",
      job: { kind: 'replayed', ...elsewhere },
    },
    {
      ...{ ...common, id: 'redirected', section: 'misrouted', counter: 'esp_unknown_spi' },
      text: "PE1's ESP packets to PE3, with PE2's address put in",
      job: { kind: 'redirected', ...elsewhere, outer_dst: NODES.pe2.loopback },
    },
  ];
}

/** A PE with an encrypting SA of its own with PE2. */
export interface Rogue {
  readonly name: 'rogue-n' | 'rogue-s';
  readonly spi: number;
  readonly key: Uint8Array;
}

/** In short: id behind `rogue-own-` or `rogue-other-`, counter, what is tried, what is special about the packets. */
type Trick = readonly [
  id: string,
  counter: string,
  text: string,
  job: Readonly<Record<string, unknown>>,
  requirement?: string,
];

/** With labels and addresses that are not for it. */
function wrongLabels(own: boolean, labels: Labels): Trick[] {
  const [otherSp, label] = own ? ['south', labels.cBetween] : ['north', labels.cInside];
  const back = { inner_src: far.address4, inner_dst: near.address4 };
  const unexported = { label: labels.cBetween, inner_dst: EXTRA_C.plain.host };
  const sameVrf: Trick = [
    ...(['same-vrf', 'route_not_exported_this_way'] as const),
    "VPN C's label for the south, to a network of VPN C that is not exported there",
    unexported,
  ];
  return [
    [
      'label-of-others',
      'label_wrong_sp',
      `VPN C's label that is for PEs of the ${otherSp}`,
      { label },
    ],
    [
      ...(['other-protection', 'label_wrong_protection'] as const),
      "VPN B's label, which accepts authenticated packets alone, in an encrypting SA",
      { label: labels.b },
    ],
    ['guess', 'label_unknown', 'a label that PE2 has given nobody', { label: 3001 }],
    [
      ...(['relay', 'route_not_exported_this_way'] as const),
      "VPN A's label towards PE1's site: PE2 relays for nobody",
      { label: labels.a, ...back },
    ],
    ...(own ? [] : [sameVrf]),
  ];
}

/** With a label that is good. */
function wrongPackets({ a, b }: Labels): Trick[] {
  return [
    ['two-labels', 'label_stack', "VPN B's label hidden under VPN A's", { label: a, under: b }],
    [
      'multicast',
      'ip_multicast',
      'multicast (OSPF) into VPN A',
      { label: a, inner_dst: '224.0.0.5' },
      'P8',
    ],
    [
      'selector',
      'esp_selector',
      'IPv4 straight in its SA, which is for GRE',
      { label: a, bare: true },
    ],
    [
      'gre-ip',
      'gre_protocol',
      'IPv4 in GRE in its SA, without a label',
      { label: a, unlabelled: true },
    ],
    ['replay', 'esp_replayed', 'its own packets once more', { label: a, repeat: true }, 'P15'],
    ['as-pe1', 'esp_outer_address', "its SA's packets from PE1's address", { label: a, ...asPe1 }],
  ];
}

/** What either rogue tries with its good keys. */
function keyed(rogue: Rogue, labels: Labels): Attack[] {
  const own = rogue.name === 'rogue-n';
  const by = own ? 'rogue PE, own SP' : 'rogue PE, other SP';
  const sender = { outer_src: NODES[rogue.name].loopback, outer_dst: NODES.pe2.loopback };
  const key = Buffer.from(rogue.key).toString('hex');
  const base = { kind: 'keyed_esp', spi: rogue.spi, key, ...inner, ...sender };
  const tricks = [...wrongLabels(own, labels), ...wrongPackets(labels)];
  return tricks.map(([name, counter, text, job, requirement = 'P14']) => ({
    ...{ ...core, by, requirement, counter, text },
    id: `rogue-${own ? 'own' : 'other'}-${name}`,
    section: name === 'replay' ? 'replayed' : 'a',
    job: { ...base, ...job },
  }));
}

export interface AttackInput {
  readonly labels: Labels;
  readonly spi: number;
  readonly sequence: number;
  readonly capture: string;
  readonly elsewhere: { readonly spi: number; readonly capture: string };
  readonly rogues: readonly Rogue[];
}

export function attacks(input: AttackInput): Attack[] {
  const { labels, spi, sequence, capture, elsewhere, rogues } = input;
  return [
    ...mustBeProtected(labels),
    ...scopedAndPlain(labels),
    ...fromCustomer(labels, spi, capture),
    ...withoutKey({ spi, sequence }, capture, elsewhere),
    ...rogues.flatMap((rogue) => keyed(rogue, labels)),
  ];
}

/** What is not an attack: packets that the policy takes, by the same means. They must be delivered. */
export interface Lawful {
  readonly id: string;
  readonly section: string;
  readonly text: string;
  readonly from: { readonly netns: string; readonly link: string };
  readonly to: string;
  readonly job: Readonly<Record<string, unknown>>;
}

export function lawful({ labels, rogues }: AttackInput): Lawful[] {
  const own = rogues.find(({ name }) => name === 'rogue-n');
  const sender = { outer_src: NODES['rogue-n'].loopback, outer_dst: NODES.pe2.loopback };
  const key = Buffer.from(own?.key ?? []).toString('hex');
  const to = (inner_dst: string) => ({ inner_src: near.address4, inner_dst });
  return [
    {
      ...{ ...core, id: 'case-a', section: 'a' },
      text: "out of an SA of a PE of the own SP, with VPN A's label: ordinary switching",
      job: { kind: 'keyed_esp', spi: own?.spi, key, ...inner, ...sender, label: labels.a },
    },
    {
      ...{ ...core, id: 'case-b-i', section: 'b.i' },
      text: 'plain MPLS with a label exported without the community',
      job: { kind: 'plain_mpls', label: labels.cPlain, ...to(EXTRA_C.plain.host) },
    },
    {
      ...{ ...core, id: 'case-b-i-tunnel', section: 'b.i' },
      text: "clear MPLS-in-GRE with VPN C's label: whoever is on the path inside north can do this, as its policy says",
      job: { kind: 'mpls_in_gre', label: labels.cInside, ...inner, ...asPe1 },
    },
    {
      ...{ ...core, id: 'case-b-ii', section: 'b.ii' },
      text: 'plain MPLS inside the own SP with a label whose community asks other SPs alone',
      job: { kind: 'plain_mpls', label: labels.cScoped, ...to(EXTRA_C.scoped.host) },
    },
  ];
}
