// SPDX-License-Identifier: Apache-2.0
/** Forwarding, sequence numbers and keys. */
import { of, type Mutation } from './mutation.js';

const FORWARD = [
  ...of('stages/nexthop.c', [
    [
      'the route’s own set (policy-model 2)',
      'return sl_accept_check(&w->tables->accept[sl_leaf_accept(p->leaf)], a->protection, a->encap,\n\t                       a->sp_table, p->interface) == SL_ACCEPTED;',
      'return true;',
      'eal_drops: route_not_exported_this_way',
    ],
    [
      'out of a label into no tunnel',
      'if (version->kind == SL_NH_TUNNEL)\n\t\treturn false;',
      '',
      'eal_drops: route_not_exported_this_way',
    ],
    [
      'a decision is shared only by packets that came alike',
      'sl_arrival_key(p) != run.arrival ||\n\t\t             p->lane',
      'p->lane',
      'eal_runs: routes_by_arrival',
    ],
    [
      'a swapped label leaves by no adjacency',
      'version->kind == SL_NH_ADJACENCY && p->lane != SL_LANE_SWAP',
      'version->kind == SL_NH_ADJACENCY',
      'eal_mpls: swapped_labels_leave_by_tunnels_alone',
    ],
    [
      'nor to the kernel',
      'p->lane != SL_LANE_SWAP || version->kind == SL_NH_DROP;',
      'true;',
      'eal_mpls: swapped_labels_leave_by_tunnels_alone',
    ],
    [
      'nor is it answered',
      'version->flags & SL_NHF_ICMP_UNREACHABLE && p->lane != SL_LANE_SWAP',
      'version->flags & SL_NHF_ICMP_UNREACHABLE',
      'eal_mpls: swapped_labels_leave_by_tunnels_alone',
    ],
    [
      'and the same way',
      ' ||\n\t\t             p->lane != run.lane',
      '',
      'eal_runs: next_hops_by_way',
    ],
  ]),
  ...of('stages/pass.c', [
    [
      'no more packets for other threads than there are buffers for',
      'RTE_MIN(batch->count, w->pass_room)',
      'batch->count',
      'eal_pass: no_more_than_may_wait',
    ],
  ]),
  ...of('stages/hold.c', [
    [
      'one packet for each next hop (P10)',
      'find(hold, nexthop) != NULL) {',
      'false) {',
      'eal_hold: first_is_held',
    ],
    [
      'so many in all',
      'hold->count >= w->waiting.hold ||',
      'hold->count == SL_HOLD_MAX - 1 ||',
      'eal_hold: bounded',
    ],
    [
      'none when nobody could be asked',
      'if (!sl_punt_acquire(w, nexthop))\n\t\treturn false;',
      'if (!sl_punt_acquire(w, nexthop))\n\t\treturn true;',
      'eal_hold: not_held_when_nobody_is_asked',
    ],
    [
      'what came by a label is not held',
      ' || p->arrival.labelled ||',
      ' ||',
      'eal_hold: not_out_of_a_label',
    ],
    [
      'one flow does not fill the ring of requests',
      'if (*asked != 0 && w->now_tsc - *asked < rte_get_tsc_hz())\n\t\treturn true;',
      '',
      'eal_hold: asked_once_a_second',
      'eal_hold: ring_is_not_filled',
    ],
    [
      'who is held is asked for, though another was just before',
      '(void)ask(w, held->nexthop);',
      '',
      'eal_hold: asked_for_the_next_packet',
    ],
    ['held for so long', 'SL_HOLD_SECONDS * hz', 'UINT64_MAX', 'eal_hold: expired'],
    [
      'from when it came, whatever it was held for',
      'hold->since_tsc != 0 ? hold->since_tsc : w->now_tsc',
      'w->now_tsc',
      'eal_hold: goes_on_waiting',
    ],
    [
      'not into another customer’s VRF',
      'memcmp(vrf->name, held->vrf, sizeof(vrf->name)) == 0',
      'true',
      'eal_hold: vrf_is_another',
    ],
    [
      'nor as if by another customer’s interface',
      'memcmp(interface->name, held->interface, sizeof(interface->name)) == 0',
      'true',
      'eal_hold: interface_is_another',
    ],
    [
      'nor by one that is gone',
      'sl_interface_live(interface) &&',
      '',
      'eal_hold: interface_is_another',
    ],
    [
      'what ends with the thread has not expired',
      'lose(w, w->hold.count - 1, SL_DROP_sa_missing)',
      'lose(w, w->hold.count - 1, SL_DROP_held_expired)',
      'eal_hold: end_frees',
    ],
    [
      'looked up again',
      'sl_leaf_nexthop(p->leaf) == held->nexthop &&',
      '',
      'eal_hold: goes_on_waiting',
    ],
    [
      'freed when the thread ends',
      'while (w->hold.count > 0)',
      'while (false)',
      'eal_hold: end_frees',
    ],
  ]),
  ...of('stages/ttl_mtu.c', [
    [
      'MSS only where asked for',
      'if (unlikely(sl_vrf_flags(w, p->vrf) & SL_VRF_CLAMP_MSS))',
      'if (true)',
      'eal_mss: only_where_asked_for',
    ],
    [
      'the MTU of a swapped label',
      'if (likely(sl_l3_len(m, p) <= w->tables->version[p->version].mtu))',
      'if (true)',
      'eal_mpls: swapped_label_mtu',
    ],
    [
      'the TTL',
      'if (unlikely(ttl <= 1 && !p->from_host)) {',
      'if (false) {',
      'eal_drops: ttl_expired',
    ],
    [
      'the MTU',
      'if (likely(sl_l3_len(m, p) <= mtu))',
      'if (sl_l3_len(m, p) <= mtu || true)',
      'eal_drops: mtu_exceeded',
    ],
    [
      'link-local sources stay on their link',
      'if (p->family == 6 && unlikely(sl_ip6_is_linklocal(ip + 8))) {',
      'if (false) {',
      'eal_drops: ip_source_linklocal_is_not_forwarded',
    ],
  ]),
  ...of('net/tcp_mss.c', [
    ['a value at an odd byte', 'at % 2 == 0 ?', 'true ?', 'eal_mss: as_scapy_builds_them'],
    ['never raised', 'sl_get16(tcp + at + 2) > mss', 'true', 'eal_mss: as_scapy_builds_them'],
    ['SYNs alone', ' || !(tcp[13] & TCP_SYN)', '', 'eal_mss: as_scapy_builds_them'],
    ['what is signed', ' || has_ao(tcp, end)', '', 'eal_mss: as_scapy_builds_them'],
    ['a header that is not there', 'end > length || ', '', 'eal_mss: as_scapy_builds_them'],
  ]),
  ...of('stages/clamp.c', [
    [
      'the way back',
      'RTE_MIN(w->tables->version[p->version].mtu, back_mtu(w, p, ip))',
      'w->tables->version[p->version].mtu',
      'eal_mss: out_of_a_tunnel',
    ],
    ['fragments', ' || upper.fragment', '', 'eal_mss: as_scapy_builds_them'],
    [
      'any way of a group',
      'RTE_MIN(mtu, way_mtu(w, group->member[i]))',
      'way_mtu(w, group->member[i])',
      'eal_mss: the_smallest_of_a_group_counts',
    ],
  ]),
  ...of('net/ip4_fragment.c', [
    [
      'options that are not copied',
      'if (ip[at] & OPTION_COPIED) {',
      'if (true) {',
      'eal_fragment: as_scapy_cuts_them',
    ],
    ['the length of an option', ' || ip[at + 1] > end - at', '', 'eal_fragment: malformed_options'],
    [
      'MF',
      'if (i + 1 < cut->count)\n\t\tword |= SL_IP4_MF;',
      '',
      'eal_fragment: as_scapy_cuts_them',
    ],
    [
      'the end of a datagram',
      'if (before + cut->payload > UINT16_MAX)',
      'if (false)',
      'eal_fragment: what_cannot_be_cut',
    ],
  ]),
  ...of('stages/icmp_error.c', [
    [
      'when no ICMP error is sent',
      'if (source == NULL || !may_answer(m, p))',
      'if (source == NULL)',
      'eal_icmp: not_about_icmp_errors',
    ],
    [
      'the rate of ICMP errors',
      'if (w->icmp_tokens == 0)\n\t\treturn false;',
      '',
      'eal_icmp: at_a_limited_rate',
    ],
  ]),
];

const NUMBERS = [
  ...of('esp/replay.h', [
    [
      'number 0',
      'if (sequence == 0)\n\t\treturn false;',
      '',
      'sequence: number_zero_is_never_accepted',
    ],
    [
      'the left edge of the window',
      'if (highest - sequence >= window)',
      'if (highest - sequence > window)',
      'sequence: window_equals_the_model',
    ],
    [
      'what was seen',
      'return (state->window[sequence / 64 % SL_REPLAY_WORDS] >> sequence % 64 & 1u) == 0;',
      'return true;',
      'sequence: window_equals_the_model',
    ],
    [
      'the check after integrity',
      'if (!sl_replay_check(state, window, sequence))\n\t\t\treturn false;',
      '',
      'sequence: equal_numbers_in_one_burst',
    ],
    [
      'the window slides',
      'state->window[(sequence / 64 - i) % SL_REPLAY_WORDS] = 0;',
      '(void)state->window[(sequence / 64 - i) % SL_REPLAY_WORDS];',
      'sequence: window_equals_the_model',
    ],
  ]),
  ...of('esp/sequence.h', [
    [
      'a range is stored when it is reserved (policy-model 22)',
      '__atomic_store_n(&state->last_sequence, last + granted, __ATOMIC_RELEASE);',
      '__atomic_store_n(&state->last_sequence, last, __ATOMIC_RELEASE);',
      'sequence: ranges_follow_each_other',
      'sequence: a_successor_goes_on_behind_the_range',
    ],
    [
      'the packet limit',
      'row->packet_limit > last ? last : row->packet_limit',
      'row->packet_limit > last ? last : last',
      'sequence: stops_at_the_limit',
    ],
    [
      'the last number',
      '#define SL_ESP_LAST_SEQUENCE 0xffffffffull',
      '#define SL_ESP_LAST_SEQUENCE 0x1ffffffffull',
      'sequence: stops_at_the_limit',
    ],
  ]),
  ...of('stages/tunnel.h', [
    [
      'the generation a tunnel was made for',
      '__atomic_load_n(&t->row->generation, __ATOMIC_ACQUIRE) == generation &&',
      '',
      'eal_drops: sa_not_ready',
    ],
    [
      'a share is this thread’s own (policy-model 23)',
      'own.key->owner != w->index ||',
      '',
      'eal_shares: shares_that_do_not_count',
    ],
    [
      'a share is ready',
      '!is_ready(&own, sl_host_sa_generation(word))',
      'false',
      'eal_shares: shares_that_do_not_count',
    ],
    [
      'a share has the suite of the template',
      'own.row->algorithm != t->row->algorithm',
      'false',
      'eal_shares: shares_that_do_not_count',
    ],
  ]),
  ...of('stages/encap.c', [
    [
      'no packet without a number',
      'if (unlikely(j >= granted))',
      'if (false)',
      'eal_drops: sa_exhausted',
    ],
  ]),
];

const KEYS = [
  ...of('control/sa_store.c', [
    [
      'a key belongs to one row for life (policy-model 22)',
      'if (owner != NULL)\n\t\treturn refuse_key',
      'if (false)\n\t\treturn refuse_key',
      'eal_worker_sas: test_key_refusals',
    ],
    [
      'a generation counts for one key',
      'if (*counted.key_check != check)',
      'if (false)',
      'eal_worker_sas: test_key_refusals',
    ],
    [
      'no generation goes back',
      'if (*counted.generation > generation)',
      'if (false)',
      'eal_worker_sas: test_key_refusals',
    ],
    [
      'SAs of a lost segment are refused',
      'if (generation <= store->segment->state->header.generation_floor)',
      'if (false)',
      'eal_worker_sas: test_lost_state_refuses_keys',
    ],
    [
      'a key is wiped when its row is given up',
      'sl_sa_index_leave(&store->outbound, id);\n\texplicit_bzero(key, sizeof(*key));',
      'sl_sa_index_leave(&store->outbound, id);',
      'eal_worker_sas: test_keys_of_removed_sas_are_wiped',
    ],
  ]),
  ...of('control/punt_limiter.c', [
    [
      'what one interface gets of the kernel',
      'if (bucket->tokens == 0)\n\t\treturn false;',
      '',
      'eal_control_units: test_punt_limiter',
    ],
  ]),
];

export const OTHERS: readonly Mutation[] = [...FORWARD, ...NUMBERS, ...KEYS];
