// SPDX-License-Identifier: Apache-2.0
/** Labels, accepted sets and inbound SAs. */
import { of, type Mutation } from './mutation.js';

const ACCEPT = of('tables/accept.c', [
  [
    'the protection, encapsulation and SP of an SA against the set (policy-model 3, 4)',
    'if (row->secured[p][e] & sp)',
    'if (row->secured[p][e] | sp)',
    'accept: every_set_and_arrival',
  ],
  [
    'a set that is not live accepts nothing, out of an SA',
    'if (!live || sp_table == 0 ||',
    'if (sp_table == 0 ||',
    'accept: not_live_accepts_nothing',
  ],
  [
    'table 0 is the unsecured one',
    'sp_table == 0 || sp_table >= SL_MAX_SPS',
    'sp_table >= SL_MAX_SPS',
    'accept: impossible_arrivals',
  ],
  [
    'in clear, the way it came against the set',
    'if (row->clear & wanted)',
    'if (row->clear)',
    'accept: every_set_and_arrival',
  ],
  [
    'case ii is never reached by clear MPLS-in-GRE or MPLS-in-IP (policy-model 4)',
    'check_clear(row, e ? SL_CLEAR_IP : SL_CLEAR_GRE,',
    'check_clear(row, (e ? SL_CLEAR_IP : SL_CLEAR_GRE) | SL_CLEAR_MPLS_OWN_SP,',
    'accept: every_set_and_arrival',
  ],
  [
    'a set that is not live accepts nothing, plain MPLS',
    'if (!live)\n\t\t\treturn SL_REFUSED_PROTECTED;',
    '',
    'accept: not_live_accepts_nothing',
  ],
  [
    'plain MPLS of another SP on the interface of the advertisement alone (policy-model 4)',
    '__atomic_load_n(&row->mpls_interface, __ATOMIC_RELAXED) != interface',
    'false',
    'accept: advertised_interface',
    'eal_mpls: other_sp_by_advertised_labels_alone',
  ],
]);

const TRANSPORT = of('stages/transport.c', [
  [
    'a transport label’s accepted set',
    '*reason = sl_check_arrival(w, p, sl_label_accept(row));',
    '',
    'eal_mpls: transport_label_set',
  ],
  [
    'at most eight transport labels',
    'if (depth == SL_MAX_CORE_LABELS)',
    'if (false)',
    'eal_mpls: transport_label_depth',
  ],
  [
    'transport label TTL 0',
    'if (sl_mpls_ttl(entry) == 0)',
    'if (false)',
    'eal_mpls: transport_label_ttl',
  ],
  [
    'the stack ends with the frame',
    'if (m->data_len == p->upper_offset)',
    'if (false)',
    'eal_mpls: transport_label_truncated',
  ],
  [
    'explicit null says the family',
    'family != (label == SL_MPLS_IP4_EXPLICIT_NULL ? 4 : 6)',
    'false',
    'eal_mpls: transport_label_family',
  ],
  [
    'the lowest TTL of the stack counts (RFC 5082)',
    'sl_mpls_ttl(entry) < ttl ? sl_mpls_ttl(entry) : ttl',
    'sl_mpls_ttl(entry)',
    'eal_mpls: transport_label_lowers_ttl',
  ],
  [
    'and for the label below (RFC 3443 5.3)',
    'lower_label_ttl(m, p, ttl);',
    '',
    'eal_mpls: transport_ttl_goes_on',
    'eal_mpls: transport_ttl_goes_on_in_a_swapped_label',
  ],
  ['downwards alone', 'if (ttl < *below)', 'if (ttl != 255)', 'eal_mpls: transport_ttl_goes_on'],
]);

const LABEL = of('stages/label.c', [
  [
    'the label’s accepted set (P13)',
    'run->reason = sl_check_arrival(w, p, sl_label_accept(row));',
    'run->reason = SL_DROP_none;',
    'eal_drops: label_protected',
    'eal_drops: label_wrong_sp',
    'eal_drops: label_wrong_protection',
    'eal_drops: label_wrong_encap',
  ],
  [
    'a decision is shared only by packets that came alike',
    ' || sl_arrival_key(p) != run->arrival',
    '',
    'eal_plain: both_ways_alike',
  ],
  [
    'and by packets of one label',
    'sl_mpls_label(p->label) != run->label || ',
    '',
    'eal_runs: arrivals_by_label',
  ],
  [
    'reserved labels mean nothing',
    'if (label < SL_MPLS_FIRST_UNRESERVED)\n\t\treturn;',
    '',
    'eal_drops: label_unknown',
  ],
  [
    'explicit null above the label out of an SA alone (policy-model 5)',
    'p->arrival.sp_table != 0, &mpls',
    'true, &mpls',
    'eal_drops: label_stack',
  ],
  [
    'label TTL 0',
    'if (unlikely(sl_mpls_ttl(p->label) == 0))',
    'if (false)',
    'eal_drops: label_ttl_expired',
  ],
  [
    'something under the label',
    'if (m->data_len == p->l3_offset)\n\t\treturn SL_DROP_label_truncated;',
    '',
    'eal_drops: label_truncated',
  ],
  [
    'IP under the label',
    'if (p->family != 4 && p->family != 6)',
    'if (p->family == 0)',
    'eal_drops: inner_not_ip',
  ],
  [
    'the inner header',
    'reason = sl_check_ip(m, p);\n\tif (reason != SL_DROP_none)\n\t\treturn reason;',
    '(void)sl_check_ip(m, p);',
    'eal_drops: ip4_checksum',
  ],
  [
    'no multicast and link-local traffic out of a tunnel (P8)',
    'return likely(scope == SL_SCOPE_ROUTED) ? sl_take_ecn(m, p, ecn)',
    'return scope != 99 ? sl_take_ecn(m, p, ecn)',
    'eal_drops: link_traffic_out_of_a_tunnel',
  ],
]);

const ARRIVAL = of('stages/packet.h', [
  [
    'another SP’s packets share a decision only on one interface',
    'key |= (uint64_t)p->interface << 32;',
    '(void)key;',
    'eal_mpls: labels_by_interface',
  ],
]);

const LOWER_TTL = of('stages/ip_header.h', [
  [
    'a label’s TTL goes only downwards',
    'if (ttl >= (family == 4 ? ip[8] : ip[7]))\n\t\treturn false;',
    '',
    'eal_paths: uniform_models_at_egress',
  ],
]);

const LABEL_SWAP = of('stages/label.c', [
  [
    'a swapped label’s TTL',
    'if (sl_mpls_ttl(p->label) <= 1)',
    'if (false)',
    'eal_mpls: swapped_label_ttl',
  ],
  [
    'something is under a swapped label',
    'return m->data_len == p->l3_offset ? SL_DROP_label_truncated : SL_DROP_none;',
    'return SL_DROP_none;',
    'eal_mpls: swapped_label_stack',
  ],
]);

const ESP_SA = of('stages/esp_sa.c', [
  [
    'the outer addresses',
    'if (unlikely(!same_addresses(run->row, sl_l3(m, p), p->family)))',
    'if (!same_addresses(run->row, sl_l3(m, p), p->family) && false)',
    'eal_drops: esp_outer_address',
  ],
  [
    'the outer IPv4 source',
    'return memcmp(row->source, ip + 12, 4) == 0 &&\n\t\t       ',
    'return ',
    'eal_drops: esp_outer_address',
  ],
  [
    'the outer IPv4 destination',
    ' &&\n\t\t       memcmp(row->destination, ip + 16, 4) == 0',
    '',
    'eal_drops: esp_outer_address',
  ],
  [
    'the outer IPv6 source',
    'return memcmp(row->source, ip + 8, 16) == 0 && ',
    'return ',
    'eal_runs: outer_addresses6',
  ],
  [
    'the outer IPv6 destination',
    ' && memcmp(row->destination, ip + 24, 16) == 0',
    '',
    'eal_runs: outer_addresses6',
  ],
  [
    'the address family of the SA',
    'if (row->family != family)\n\t\treturn false;',
    '',
    'eal_runs: outer_family',
  ],
  [
    'the least length of an ESP packet',
    'if (unlikely(m->data_len < p->upper_offset + SL_ESP_MIN_LEN))',
    'if (m->data_len < p->upper_offset + 8)',
    'eal_drops: esp_truncated',
  ],
  [
    'what is not for us is not the SA’s business',
    'is_for_us(w, m, p) ? reason : SL_DROP_core_transit',
    'is_for_us(w, m, p) ? reason : reason',
    'eal_drops: core_transit',
  ],
  [
    'an SA is shared only by packets of its SPI',
    'sl_esp_spi(esp) != run->spi || ',
    '',
    'eal_runs: sas_by_spi',
  ],
]);

const ESP_OPEN = of('stages/esp_open.c', [
  [
    'the window is asked again after integrity',
    'sl_esp_sequence(esp)))) {',
    'sl_esp_sequence(esp)) && false)) {',
    'eal_drops: esp_replayed_within_a_burst',
  ],
  ['integrity', 'if (unlikely(!p->opened)) {', 'if (false) {', 'eal_drops: esp_auth_failed'],
  [
    'the padding',
    'if (unlikely(!sl_esp_read_trailer(esp + front, length, &trailer)))\n\t\tgoto drop;',
    '(void)sl_esp_read_trailer(esp + front, length, &trailer);',
    'eal_drops: esp_padding',
  ],
  [
    'dummy packets',
    'if (unlikely(next_header == SL_PROTO_NONE))\n\t\treturn note_dummy(w, p, trailer, payload, bytes);',
    '',
    'eal_drops: esp_dummy',
  ],
  [
    'a dummy packet without a round says nothing of the path MTU',
    'if (trailer->payload_len < SL_PROBE_ROUND_LEN)\n\t\treturn SL_DROP_esp_dummy;',
    '',
    'eal_probe: a_short_dummy',
  ],
  [
    'the largest packet of a round counts',
    ' || sl_probe_seen_bytes(state->probe) < bytes)',
    ' || true)',
    'eal_probe: the_largest_of_a_round_counts',
  ],
  [
    'the application of the SA (policy-model 17)',
    'if (row->application != SL_APP_VPN)\n\t\treturn SL_DROP_esp_application;',
    '',
    'eal_drops: esp_application',
  ],
  [
    'the selectors of the SA (policy-model 17)',
    'next_header != row->selector_protocol ||',
    '',
    'eal_drops: esp_selector',
  ],
  [
    'the label is told the SA’s protection',
    'p->arrival.protection = row->protection;',
    'p->arrival.protection = SL_PROT_ENCRYPT;',
    'eal_drops: label_wrong_protection',
  ],
  [
    'the label is told the peer’s SP (P14)',
    'p->arrival.sp_table = row->sp_table;',
    'p->arrival.sp_table = 1;',
    'eal_drops: label_wrong_sp',
  ],
  [
    'the route is told that a label led to it',
    'p->arrival.labelled = 1;',
    'p->arrival.labelled = 0;',
    'eal_drops: route_not_exported_this_way',
  ],
]);

const ESP = of('esp/esp.c', [
  [
    'padding that is longer than the packet',
    'if (padding + SL_ESP_TRAILER_MIN > length)\n\t\treturn false;',
    '',
    'esp: padding_beyond',
  ],
  [
    'the series 1, 2, 3',
    'if (first[i] != (uint8_t)(i + 1))',
    'if (first[i] != (uint8_t)(i + 1) && false)',
    'esp: foreign_padding',
  ],
]);

export const INBOUND: readonly Mutation[] = [
  ...[...ACCEPT, ...LABEL, ...LABEL_SWAP, ...LOWER_TTL, ...ARRIVAL, ...TRANSPORT],
  ...[...ESP_SA, ...ESP_OPEN, ...ESP],
];
