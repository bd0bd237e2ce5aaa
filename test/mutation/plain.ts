// SPDX-License-Identifier: Apache-2.0
/**
 * What nearly every packet is, decided in one go: each condition of it. Without one the packet goes on as if it were plain;
 * eal_plain.c sees that it does not fare as it does on the long way, or another test that it fares badly.
 *
 * Left out on purpose: the least length in plain_open.h. Behind a shorter payload lies its ICV, which nobody can choose.
 */
import { of, type Mutation } from './mutation.js';

const ALIKE = 'eal_plain: both_ways_alike';

const RECEIVE = of('stages/plain_rx.h', [
  ['the destination MAC', '(mac ^ run->mac) << 16 != 0 || ', '', ALIKE],
  ['a live interface', ' || run->id == 0', '', 'eal_drops: rx_unknown_vlan'],
  [
    'the VLAN',
    'if (unlikely(vlan != run->tags))',
    'if (run->row == NULL)',
    'eal_runs: interfaces_by_vlan',
  ],
  ['IPv4 alone', 'likely(sl_get16(frame + l2 - 2) == SL_ETHERTYPE_IP4) ? l2 : 0', 'l2', ALIKE],
  ['addresses that are routed', 'if (unlikely(!sl_ip4_plain_ends(ip)))', 'if (false)', ALIKE],
  ['ESP alone', 'ip[9] != SL_PROTO_ESP || ', '', ALIKE],
  ['no fragments', 'sl_ip4_is_fragment(ip) ||', '', ALIKE],
  ['the least length of an ESP packet', 'total < SL_IP4_LEN + SL_ESP_MIN_LEN', 'false', ALIKE],
  ['the SPI', 'spi != sa->spi || ', '', 'eal_runs: sas_by_spi'],
  ['the outer addresses', ' || ends != sa->ends', '', 'eal_drops: esp_outer_address'],
  ['an SA whose packets are', '!sa->plain || ', '', 'eal_drops: esp_udp'],
]);

const SA = of('stages/sa_run.h', [
  [
    'the whole SPI, not only its table slot',
    'if (id == 0 || row->spi != spi)',
    'if (id == 0)',
    'eal_drops: esp_unknown_spi',
  ],
  [
    'the generation that the worker has installed (policy-model 22)',
    'if (unlikely(generation == 0 || __atomic_load_n(&w->state->sa_in[id].ready_generation,\n\t                                                __ATOMIC_ACQUIRE) != generation))',
    'if (generation == 0)',
    'eal_drops: esp_not_ready',
  ],
  ['not in UDP', 'row->udp_source_port == 0 && ', '', 'eal_drops: esp_udp'],
  ['no suite of its own', ' && !run->key->special', '', 'eal_suites: in'],
  [
    'the thread that owns the SA',
    ' &&\n\t             run->key->owner == w->index',
    '',
    'eal_pass: opened_by_the_owner',
  ],
]);

const OPEN = of('stages/plain_open.h', [
  [
    'integrity, where most packets are decided at once',
    '!run->plain || !p->opened ||',
    '!run->plain ||',
    ALIKE,
  ],
  ['short padding', 'padding > SL_ESP_SHORT_PADDING || ', '', ALIKE],
  ['GRE by its protocol number', 'payload[length - 1] != SL_PROTO_GRE ||', '', ALIKE],
  ['and its header', '!sl_gre_is_mpls(payload)', 'false', ALIKE],
  [
    'the window',
    'unlikely(!sl_replay_update(run->state,',
    'unlikely(false && !sl_replay_update(run->state,',
    'eal_drops: esp_replayed',
  ],
  [
    'the SA of the packet',
    'if (unlikely(p->key != run->key))',
    'if (run->key == NULL)',
    'eal_runs: labels_by_arrival',
  ],
  ['an SA of VPN', 'row->application == SL_APP_VPN && ', '', 'eal_drops: esp_application'],
  ['that was negotiated for GRE', ' && row->selector_protocol == SL_PROTO_GRE', '', ALIKE],
]);

const LABEL = of('stages/label_run.h', [
  ['the bottom of the stack', '!sl_mpls_bottom(entry) || ', '', ALIKE],
  ['the label’s TTL', ' || sl_mpls_ttl(entry) == 0', '', ALIKE],
  ['the label', 'sl_mpls_label(entry) != run->label || ', '', 'eal_runs: arrivals_by_label'],
  ['the way it came', ' || arrival != run->arrival', '', 'eal_runs: labels_by_arrival'],
  ['a label that is accepted', 'unlikely(!run->plain) ||', '', 'eal_drops: label_wrong_sp'],
  [
    'a traffic class that is taken over',
    'sl_tc_of_dscp(w, ip[1] >> 2) != sl_mpls_tc(entry)',
    'false',
    ALIKE,
  ],
  [
    'congestion outside',
    'if (unlikely(sl_ecn_outer_counts(sl_outer_ecn(m, p), ip[1] & SL_TOS_ECN)))',
    'if (false)',
    'eal_runs: inner_packets',
  ],
]);

const PADDING = of('esp/esp.h', [
  [
    'padding that is 1, 2, 3',
    '(last & mask[padding]) == right[padding]',
    'mask[0] != right[padding]',
    'esp: short_padding',
  ],
  ['all of the ICV', ' | (icv[1] ^ carried[1])', '', 'esp: any_flipped_bit_is_found'],
]);

const FORWARD = of('stages/plain_forward.h', [
  ['IPv4 alone', ' || p->family != 4', '', ALIKE],
  ['what the host sends keeps its TTL', ' || p->from_host', '', 'eal_paths: packets_from_the_host'],
  ['the MTU', 'length > run->mtu ||\n\t             ', '', ALIKE],
  ['the TTL', ' ||\n\t             ip[8] <= 1', '', ALIKE],
  [
    'room for the header',
    'if (unlikely(start < front))\n\t\treturn false;',
    '',
    'eal_drops: no_mbuf',
  ],
]);

const ROUTE = of('stages/nexthop.c', [
  ['what is exported this way', 'run->plain = run->exported && ', 'run->plain = ', ALIKE],
  ['what leaves', ' run->leaves_by != 0 &&', '', ALIKE],
  [
    'no clamping',
    ' &&\n\t             !(sl_vrf_flags(w, p->vrf) & SL_VRF_CLAMP_MSS)',
    '',
    'eal_mss: as_scapy_builds_them',
  ],
]);

const FRAME = of('stages/tunnel_frame.h', [
  ['IPv4 alone into a plain tunnel', 'p->family != 4 || start < front', 'start < front', ALIKE],
  ['room behind', 'end > m->buf_len ||', '', 'eal_jumbo: full_buffer'],
  ['the VRF’s models', '(sl_vrf_flags(w, p->vrf) & SL_NOT_PLAIN) != 0', 'false', ALIKE],
]);

const TUNNEL = of('stages/tunnel.h', [
  ['AES-GCM and AES-GMAC', 't->plain = !t->key->special && ', 't->plain = ', 'eal_suites: out'],
  ['no UDP', ' && v->udp_off == 0', '', ALIKE],
  ['no transport labels', ' && v->core_labels == 0', '', ALIKE],
  ['the template’s own SPI', 't->spi == 0 &&', '', 'eal_shares: same_bytes'],
]);

export const PLAIN: readonly Mutation[] = [
  ...RECEIVE,
  ...SA,
  ...OPEN,
  ...LABEL,
  ...PADDING,
  ...FORWARD,
  ...ROUTE,
  ...FRAME,
  ...TUNNEL,
];
